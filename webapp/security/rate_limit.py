"""A limit on what one client may ask, where one is set; a proxy's own limit is the better one."""

from flask import Flask, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import parse_many

from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.settings import Settings

_FREE = {"static", "health.healthz", "health.readyz", "health.metrics"}


class LimitError(LoanPipelineError):
    """A limit in the settings that cannot be read."""


def init_app(app: Flask, settings: Settings) -> None:
    """Limit the requests of each client to `app`, files and health checks left out.

    Raises:
        LimitError: LOAN_WEB_RATE_LIMIT is no limit.
    """
    limit = settings.web_rate_limit
    if not limit:
        return
    try:
        parse_many(limit)
    except ValueError as error:
        raise LimitError(
            f"LOAN_WEB_RATE_LIMIT={limit} is no limit: write it like 600/minute, or leave it empty"
        ) from error
    limiter = Limiter(
        get_remote_address, app=app, application_limits=[limit], storage_uri="memory://"
    )
    limiter.request_filter(lambda: request.endpoint in _FREE)
