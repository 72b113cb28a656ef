"""Clients that hold a server up: half a request's head, or a body that comes byte by byte."""

import socket
import threading
from types import TracebackType
from typing import Self

_SECONDS_BETWEEN_BYTES = 0.2
_HEAD = "POST /api/v1/predictions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


class SlowClients:
    """Connections to 127.0.0.1 that never finish their request, while the block runs.

    Args:
        port: the server's.
        half_open: how many send the half of a head and then nothing.
        slow_bodies: how many send a whole head and then a byte now and then.
        body: the request that they begin.
    """

    def __init__(self, port: int, *, half_open: int, slow_bodies: int, body: str) -> None:
        self._port = port
        self._body = body.encode()
        self._half_open, self._slow_bodies = half_open, slow_bodies
        self._sockets: list[socket.socket] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._drip)

    def __enter__(self) -> Self:
        whole_head = f"{_HEAD}Content-Length: {len(self._body)}\r\n\r\n"
        for head in [_HEAD] * self._half_open + [whole_head] * self._slow_bodies:
            client = socket.create_connection(("127.0.0.1", self._port), timeout=10)
            client.sendall(head.encode())
            self._sockets.append(client)
        self._thread.start()
        return self

    def _drip(self) -> None:
        for byte in self._body[:-1]:  # never the last: the request stays half
            for client in self._sockets[self._half_open :]:
                client.sendall(bytes([byte]))
            if self._ended.wait(_SECONDS_BETWEEN_BYTES):
                return

    def still_connected(self) -> int:
        """How many connections the server has neither answered nor closed."""
        held = 0
        for client in self._sockets:
            client.setblocking(False)
            try:
                client.recv(1)
            except BlockingIOError:
                held += 1
            client.settimeout(10)
        return held

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        for client in self._sockets:
            client.close()
