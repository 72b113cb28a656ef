"""Makes the app out of its parts."""

import hashlib
from functools import cache, partial
from pathlib import Path

from flask import Flask, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

from loan_pipeline.contracts.currency import in_currency
from loan_pipeline.contracts.prediction_log import PREDICTION_LOG_FILE
from loan_pipeline.lake.open import open_store
from loan_pipeline.settings import Settings, load_settings
from webapp import problems
from webapp.api.docs import docs
from webapp.api.predictions import api
from webapp.app_state import EXTENSION, AppState
from webapp.health import health
from webapp.model_watch import ModelWatch
from webapp.pages.batch_upload import batches
from webapp.pages.history import history
from webapp.pages.letter import letters
from webapp.pages.model_card import model_page
from webapp.pages.portfolio import portfolio
from webapp.pages.predict import pages
from webapp.recording import request_log
from webapp.recording.metrics import Metrics
from webapp.recording.prediction_log import PredictionLog
from webapp.recording.shipping import LogShipper
from webapp.security import access, headers, rate_limit, sessions

LARGEST_BODY = 2 * 1024 * 1024  # bytes: 10,000 lines of a batch
_DAY = 24 * 3600


def create_app(settings: Settings | None = None, *, host: str | None = None) -> Flask:
    """The WSGI app, following the releases of the settings' lake.

    Args:
        settings: those of the environment where none are given.
        host: the address that it is served on; None, an unknown one, counts as public.

    Raises:
        LoanPipelineError: a setting cannot be used.
    """
    settings = settings or load_settings()
    app = Flask(__name__)
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=LARGEST_BODY,
        SEND_FILE_MAX_AGE_DEFAULT=_DAY,
    )
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.context_processor(lambda: {"asset": _asset, "currency": settings.currency})
    app.add_template_filter(partial(in_currency, currency=settings.currency), "in_currency")
    state = app.extensions[EXTENSION] = _state(settings)
    request_log.init_app(app, state.metrics)  # first: what follows has a request id
    headers.init_app(app)
    rate_limit.init_app(app, settings)
    policy = access.init_app(app, settings, host)
    sessions.init_app(app, settings, without=api)
    if policy.sign_in == "openid":
        from webapp.security import sign_in  # Authlib and what it needs is loaded only then

        sign_in.init_app(app, settings)
    problems.init_app(app)
    for blueprint in (pages, batches, history, letters, portfolio, model_page, docs, api, health):
        app.register_blueprint(blueprint)
    if n := settings.web_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]
    state.models.start()
    if settings.web_shipping == "background":
        state.shipper.start()
    return app


def _state(settings: Settings) -> AppState:
    metrics, store = Metrics(), open_store(settings.lake)
    models = ModelWatch(
        store,
        settings.home / "cache",
        settings.web_release_check_seconds,
        metrics.model_checked,
        allow_pickles=settings.allow_pickles,
        loss_given_default=settings.loss_given_default,
    )
    predictions = PredictionLog(
        settings.home / PREDICTION_LOG_FILE,
        settings.web_log_days,
        required=settings.web_recording == "required",
        on_loss=metrics.lost.inc,
    )
    shipper = LogShipper(predictions.path, store, on_waiting=metrics.unshipped.set)
    return AppState(settings, store, models, predictions, shipper, metrics)


def _asset(name: str) -> str:
    """A static file's address, which changes with its content so that browsers may cache it."""
    return url_for("static", filename=name, v=_fingerprint(name))


@cache
def _fingerprint(name: str) -> str:
    path = Path(__file__).parent / "static" / name
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10] if path.exists() else "missing"
