"""What is told about each request: its id, one line of structured log, its latency."""

import logging
import random
import re
import time
from typing import NamedTuple

from flask import Flask, Response, g, request

from webapp.metrics import Metrics
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
    told = _Told(
        services().metrics,
        request.endpoint or "none",
        g.started,
        g.request_id,
        request.remote_addr,
        request.method,
        request.path,
        response.status_code,
    )
    # Told once the answer is on its way: nobody waits for it.
    response.call_on_close(told.tell)
    return response


class _Told(NamedTuple):
    metrics: Metrics
    endpoint: str
    started: float
    request_id: str
    client: str | None
    method: str
    path: str
    status: int

    def tell(self) -> None:
        seconds = time.perf_counter() - self.started
        self.metrics.seconds.labels(self.endpoint).observe(seconds)
        self.metrics.requests.labels(self.endpoint, self.status).inc()
        if self.endpoint not in _QUIET and access.isEnabledFor(logging.INFO):
            fields = {
                "request_id": self.request_id,
                "client": self.client,
                "method": self.method,
                "path": self.path,
                "status": self.status,
                "milliseconds": round(1000 * seconds, 3),
            }
            access.info("", extra={"fields": fields})
