"""An S3 server that has a bad day: a proxy in front of the real one that spoils some answers."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

# What to do with a request, by method, path and how many came before it.
Trouble = Callable[[str, str, int], "str | None"]

_ERRORS = {"SlowDown": 503, "InternalError": 500, "AccessDenied": 403}


class TroubledS3:
    """Forwards to `server`, except where `trouble` answers otherwise.

    It may answer an error's code, "slow" (half a second late), "cut" (not done, and the connection
    closed) or "lost" (done, but the connection closed instead of an answer).

    Attributes:
        seen: how often each trouble was made.
        bytes_sent: bytes answered for each path.
    """

    def __init__(self, server: str, trouble: Trouble) -> None:
        self.trouble = trouble
        self.seen: Counter[str | None] = Counter()
        self.bytes_sent: Counter[str] = Counter()
        target = urlsplit(server).netloc
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or a short body waits 40 ms for the head to be heard

            def log_message(self, *_: object) -> None:
                pass

            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with outer.lock:
                    kind = outer.trouble(self.command, self.path, sum(outer.seen.values()))
                    outer.seen[kind] += 1
                if kind == "cut":
                    self.close_connection = True
                elif kind in _ERRORS:
                    text = f"<Error><Code>{kind}</Code><Message>no</Message></Error>".encode()
                    self.answer(_ERRORS[kind], [("Content-Type", "application/xml")], text)
                else:
                    time.sleep(0.5 if kind == "slow" else 0)
                    connection = http.client.HTTPConnection(target, timeout=30)
                    connection.request(self.command, self.path, body, dict(self.headers))
                    response = connection.getresponse()
                    answer = response.read()
                    connection.close()
                    if kind == "lost":
                        self.close_connection = True
                    else:
                        self.answer(response.status, response.getheaders(), answer)

            def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                        self.send_header(name, value)
                head = {name.lower(): value for name, value in headers}
                length = head.get("content-length") if self.command == "HEAD" else str(len(body))
                self.send_header("Content-Length", length or "0")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)
                    with outer.lock:
                        outer.bytes_sent[self.path] += len(body)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward  # noqa: N815

        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
