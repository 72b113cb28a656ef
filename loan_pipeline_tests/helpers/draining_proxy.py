"""A proxy as the app wants one in front: it sends requests only to servers whose /readyz is 200."""

import http.client
import itertools
import threading
from collections import Counter
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

_SECONDS_BETWEEN_LOOKS = 0.1


class DrainingProxy:
    """Shares requests out among the ready servers and retries none of them.

    Args:
        ports: the servers', on 127.0.0.1.

    Attributes:
        port: its own.
        answered: requests answered by each server's port.
    """

    def __init__(self, ports: list[int]) -> None:
        self.answered: Counter[int] = Counter(dict.fromkeys(ports, 0))
        self._ports = ports
        self._turns = itertools.count()
        self._ready: list[int] = []
        self._ended = threading.Event()
        self._look()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                proxy.forward(self)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._threads = [
            threading.Thread(target=self._server.serve_forever),
            threading.Thread(target=self._watch),
        ]

    def forward(self, client: BaseHTTPRequestHandler) -> None:
        """Send one request to a ready server, and its answer back."""
        body = client.rfile.read(int(client.headers["Content-Length"]))
        ready = self._ready
        port = ready[next(self._turns) % len(ready)]
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as server:
            headers = {"Content-Type": client.headers["Content-Type"]}
            server.request("POST", client.path, body, headers)
            answer = server.getresponse()
            content = answer.read()
        self.answered[port] += 1
        client.send_response(answer.status)
        client.send_header("X-Request-ID", answer.headers["X-Request-ID"])
        client.send_header("Content-Length", str(len(content)))
        client.end_headers()
        client.wfile.write(content)

    def _watch(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN_LOOKS):
            self._look()

    def _look(self) -> None:
        self._ready = [port for port in self._ports if _is_ready(port)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join()


def _is_ready(port: int) -> bool:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=3)) as server:
            server.request("GET", "/readyz")
            return server.getresponse().status == 200
    except OSError:
        return False
