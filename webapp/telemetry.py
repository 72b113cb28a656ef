"""What is told about each request: its id, one line of structured log, its latency."""

import atexit
import logging
import random
import re
import threading
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from flask import Flask, Response, g, request

from webapp.metrics import Metrics
from webapp.services import services

access = logging.getLogger("webapp.access")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_MOST_WAITING = 20_000
_SECONDS_BETWEEN_WRITES = 0.25
_QUIET = {"static", "health.healthz", "health.readyz", "health.metrics"}


class AccessLog:
    """One line per request, written a few times a second by a thread of its own."""

    def __init__(self) -> None:
        self._lines: deque[dict[str, object]] = deque(maxlen=_MOST_WAITING)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, line: dict[str, object]) -> None:
        """Note a line."""
        self._lines.append(line)
        if self._thread is None:
            self._start()

    def write(self) -> None:
        """Write what waits."""
        lines = []
        with suppress(IndexError):  # another thread may write as well, at the end
            while True:
                lines.append(self._lines.popleft())
        if lines:
            access.info("", extra={"lines": lines})

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._write_on, name="access-log", daemon=True
                )
                self._thread.start()
                atexit.register(self.write)

    def _write_on(self) -> None:
        while True:
            time.sleep(_SECONDS_BETWEEN_WRITES)
            self.write()


access_log = AccessLog()


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
        self.metrics.served(self.endpoint, self.status, seconds)
        if self.endpoint not in _QUIET and access.isEnabledFor(logging.INFO):
            line: dict[str, object] = {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "level": "info",
                "logger": access.name,
                "request_id": self.request_id,
                "client": self.client,
                "method": self.method,
                "path": self.path,
                "status": self.status,
                "milliseconds": round(1000 * seconds, 3),
            }
            access_log.add(line)
