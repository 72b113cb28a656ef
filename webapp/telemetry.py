"""What is told about each request: its id, one line of structured log, its latency.

Around the app rather than inside it: cheaper, and requests that never reach Flask are told, too.
"""

import atexit
import logging
import random
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from flask import Flask, g, request

from webapp import moments
from webapp.metrics import Metrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

access = logging.getLogger("webapp.access")
logger = logging.getLogger(__name__)
# Names in WSGI's environ: whoever answers a request finds its id and leaves its endpoint there.
REQUEST_ID = "loan_pipeline.request_id"
ENDPOINT = "loan_pipeline.endpoint"
_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_MOST_WAITING = 20_000
_QUIET = {"static", "health.healthz", "health.readyz", "health.metrics"}


class Told(NamedTuple):
    """A request that was answered."""

    metrics: Metrics
    at: float
    endpoint: str
    seconds: float
    request_id: str
    client: str | None
    method: str
    path: str
    status: int


class AccessLog:
    """Counts and logs requests twice a second, in a thread: nobody waits for it."""

    def __init__(self) -> None:
        self._waiting: deque[Told] = deque(maxlen=_MOST_WAITING)
        self._starting = threading.Lock()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, told: Told) -> None:
        """Note a request."""
        self._waiting.append(told)
        if self._thread is None:
            self._start()

    def write(self) -> None:
        """Count and log what waits."""
        lines = []
        with self._writing:
            try:
                while self._waiting:
                    told = self._waiting.popleft()
                    if told.endpoint not in _QUIET:
                        lines.append(_line(told))
                    told.metrics.served(told.endpoint, told.status, told.seconds)
            finally:  # what was answered is told, counted or not
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
            time.sleep(moments.seconds_to_next())
            try:
                self.write()
            except Exception:  # a full disk under the metrics, say: later requests count again
                logger.exception("requests were answered, but could not be counted")


access_log = AccessLog()


def init_app(app: Flask) -> None:
    """Let `app` know the request's id, and tell its endpoint."""

    @app.before_request
    def _begin() -> None:
        environ = request.environ
        g.request_id = environ[REQUEST_ID]
        environ[ENDPOINT] = request.endpoint or "none"


class Telemetry:
    """Gives each request its id and tells of it.

    Args:
        app: the app that answers.
        metrics: where requests are counted.
    """

    def __init__(self, app: "WSGIApplication", metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Let the app answer, and tell of it."""
        started = time.perf_counter()
        sent = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = sent if _PLAIN_ID.fullmatch(sent) else f"{random.getrandbits(128):032x}"
        environ[REQUEST_ID] = request_id
        answered = ""

        def start(
            status: str, headers: list[tuple[str, str]], error: ExcInfo | None = None
        ) -> Callable[[bytes], object]:
            nonlocal answered
            answered = status
            return start_response(status, [*headers, ("X-Request-ID", request_id)], error)

        body = self._app(environ, start)
        access_log.add(
            Told(
                self._metrics,
                time.time(),
                environ.get(ENDPOINT, "none"),
                time.perf_counter() - started,
                request_id,
                environ.get("REMOTE_ADDR"),
                environ["REQUEST_METHOD"],
                environ["PATH_INFO"],
                int(answered[:3]),
            )
        )
        return body


def _line(told: Told) -> dict[str, object]:
    return {
        "time": datetime.fromtimestamp(told.at, UTC).isoformat(timespec="milliseconds"),
        "level": "info",
        "logger": access.name,
        "request_id": told.request_id,
        "client": told.client,
        "method": told.method,
        "path": told.path,
        "status": told.status,
        "milliseconds": round(1000 * told.seconds, 3),
    }
