"""Makes the app out of its parts. Called once in each worker, after the worker was forked."""

import atexit
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

from loan_pipeline.contracts.prediction_log import PREDICTION_LOG_FILE
from loan_pipeline.lake.open import open_store
from loan_pipeline.settings import Settings
from webapp import express, problems, rate_limit, security, telemetry
from webapp.api import api, batch_api
from webapp.batches import batches
from webapp.docs import docs
from webapp.health import health
from webapp.metrics import Metrics
from webapp.model_page import model_page
from webapp.model_watch import ModelWatch
from webapp.pages import pages
from webapp.prediction_log import PredictionLog
from webapp.rate_limit import RateLimit
from webapp.services import EXTENSION, Services

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_LARGEST_BODY = 2 * 1024 * 1024  # 10,000 lines of a batch
_FORM_VALID_SECONDS = 12 * 3600
_DAY = 24 * 3600


def make_app(settings: Settings | None = None) -> Flask:
    """The WSGI app, following the releases of the settings' lake.

    Raises:
        LoanPipelineError: a setting cannot be used.
    """
    settings = settings or Settings()
    app = Flask(__name__)
    app.config.update(
        MAX_CONTENT_LENGTH=_LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=_LARGEST_BODY,
        SEND_FILE_MAX_AGE_DEFAULT=_DAY,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=_FORM_VALID_SECONDS,
        WTF_CSRF_CHECK_DEFAULT=False,  # `security` decides which requests are checked
    )
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.context_processor(lambda: {"asset": _asset})
    telemetry.init_app(app)  # first, so that what follows has a request id
    pages_limit = RateLimit(settings.web_rate_limit)
    api_limit = RateLimit(settings.web_api_rate_limit)
    rate_limit.init_app(app, pages_limit, api_limit)
    security.init_app(app, settings)
    problems.init_app(app)
    _register(app)
    shared = app.extensions[EXTENSION] = _services(settings)
    around: WSGIApplication = express.Express(app.wsgi_app, shared, api_limit)
    around = security.ProtectiveHeaders(around)
    around = telemetry.Telemetry(around, shared.metrics)
    if settings.web_proxies:
        n = settings.web_proxies
        around = ProxyFix(around, x_for=n, x_proto=n, x_host=n)
    app.wsgi_app = around  # type: ignore[method-assign]
    return app


def _register(app: Flask) -> None:
    for blueprint in (pages, batches, model_page, docs, api, batch_api, health):
        app.register_blueprint(blueprint)


def _services(settings: Settings) -> Services:
    metrics = Metrics()
    models = ModelWatch(
        open_store(settings.lake),
        settings.home / "cache",
        settings.web_release_check_seconds,
        metrics.model_looked_at,
        allow_pickles=settings.allow_pickles,
    )
    log = PredictionLog(
        settings.home / PREDICTION_LOG_FILE, settings.web_log_days, metrics.log_lost.inc
    )
    atexit.register(log.close)
    models.start()
    return Services(settings, models, log, metrics)


def _asset(name: str) -> str:
    """A static file's address, which changes with its content so that browsers may keep it."""
    return url_for("static", filename=name, v=_fingerprint(name))


@cache
def _fingerprint(name: str) -> str:
    path = Path(__file__).parent / "static" / name
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10] if path.exists() else "missing"
