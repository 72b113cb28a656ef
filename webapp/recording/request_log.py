"""Each request's id, its line in the log, its count and latency in the metrics."""

import logging
import re
import secrets
import time

from flask import Flask, Response, g, request

from webapp.recording.metrics import Metrics
from webapp.security.caller import current_caller

logger = logging.getLogger("webapp.access")
_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_NOT_LOGGED = {"static", "health.healthz", "health.readyz", "health.metrics"}


def init_app(app: Flask, metrics: Metrics) -> None:
    """Give each request of `app` an id, and record it when it is answered."""

    def begin() -> None:
        g.started = time.perf_counter()
        sent = request.headers.get("X-Request-ID", "")
        g.request_id = sent if _PLAIN_ID.fullmatch(sent) else secrets.token_hex(16)

    def record(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.request_id
        endpoint = request.endpoint or "none"
        seconds = seconds_so_far()
        metrics.request_answered(endpoint, response.status_code, seconds)
        if endpoint not in _NOT_LOGGED:
            fields = {
                "request_id": g.request_id,
                "client": request.remote_addr,
                "caller": current_caller().logged_name,
                "method": request.method,
                "path": request.path,
                "status": response.status_code,
                "milliseconds": round(1000 * seconds, 3),
            }
            logger.info("request answered", extra={"fields": fields})
        return response

    app.before_request(begin)
    app.after_request(record)


def seconds_so_far() -> float:
    """Since the current request began."""
    return float(time.perf_counter() - g.started)
