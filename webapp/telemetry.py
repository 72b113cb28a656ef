"""What is told about each request: its id, one line of structured log, its latency."""

import logging
import random
import re
import time

from flask import Flask, Response, g, request

from webapp.services import services

access = logging.getLogger("webapp.access")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_QUIET = {"static", "health.healthz", "health.readyz", "health.metrics"}


def init_app(app: Flask) -> None:
    """Follow every request of `app`."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.started = time.perf_counter()
    sent = request.headers.get("X-Request-ID", "")
    g.request_id = sent if _REQUEST_ID.fullmatch(sent) else f"{random.getrandbits(128):032x}"


def _end(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    seconds = time.perf_counter() - g.started
    endpoint = request.endpoint or "none"
    metrics = services().metrics
    metrics.seconds.labels(endpoint).observe(seconds)
    metrics.requests.labels(endpoint, response.status_code).inc()
    if endpoint not in _QUIET and access.isEnabledFor(logging.INFO):
        fields = {
            "request_id": g.request_id,
            "client": request.remote_addr,
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "milliseconds": round(1000 * seconds, 3),
        }
        access.info("", extra={"fields": fields})
    return response
