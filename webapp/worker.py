"""gunicorn's threaded worker, made to drop nothing when the server is told to stop.

Loaded before the server forks: it must not import the app.
"""

import ctypes
import os
import socket
import struct
import time
from pathlib import Path

from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

_SECONDS_FOR_REQUESTS_UNDER_WAY = 5.0
# A handshake whose first packet came before the door was closed ends within this.
_SECONDS_FOR_HANDSHAKES = 0.2

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python's socket module does not name it
# Classic BPF over the TCP header: drop what carries SYN (bit 2 of byte 13), pass the rest.
_NO_NEW_CONNECTIONS = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load byte 13
        (0x45, 0, 1, 0x02),  # if SYN is set, the next, else the one after
        (0x06, 0, 0, 0),  # drop
        (0x06, 0, 0, 0xFFFFFFFF),  # pass
    )
)


class DrainingWorker(ThreadWorker):  # type: ignore[misc]
    """Answers connections that wait in the listener's queue before it closes the listener.

    gunicorn leaves them there, and the kernel resets them when the last worker ends.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        """Stop or start to take connections; when stopping for good, take the last ones."""
        super().set_accept_enabled(enabled)
        if not self.alive and not enabled:
            ending = [listener for listener in self.sockets if not _serves_on(listener)]
            if ending and all(_close_door(listener) for listener in ending):
                time.sleep(_SECONDS_FOR_HANDSHAKES)
            self._finish_requests_under_way()
            self._take_the_last()

    def _finish_requests_under_way(self) -> None:
        # With no other thread running, nothing comes between the last accept and the close.
        deadline = time.monotonic() + _SECONDS_FOR_REQUESTS_UNDER_WAY
        while self._under_way() > 0 and time.monotonic() < deadline:
            self.notify()
            self.wait_for_and_dispatch_events(timeout=0.05)

    def _under_way(self) -> int:
        return int(self.nr_conns - len(self.keepalived_conns) - len(self.pending_conns))

    def _take_the_last(self) -> None:
        waiting = []
        for listener in self.sockets:
            server = listener.getsockname()
            while True:
                try:
                    waiting.append((*listener.accept(), server))
                except BlockingIOError:
                    break
            listener.close()
        for client, address, server in waiting:
            client.setblocking(True)
            self.nr_conns += 1
            self.enqueue_req(TConn(self.cfg, client, address, server))


def _close_door(listener: socket.socket) -> bool:
    """Let no new connection begin on a listener that is about to close, where Linux can do that.

    A connection that the kernel completes between the last accept and the close would be reset
    with its request unread. Clients whose first packet is dropped try again and are refused by the
    closed port, or reach the server that took it over.
    """
    program = ctypes.create_string_buffer(_NO_NEW_CONNECTIONS)
    filter_ = struct.pack("HP", len(_NO_NEW_CONNECTIONS) // 8, ctypes.addressof(program))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)
    except OSError:
        return False
    return True


def _serves_on(listener: socket.socket) -> bool:
    """Whether another process than this server's workers holds the listener.

    The master keeps it while it replaces workers, and a new master takes it over in an upgrade;
    a server that stops closes it before it tells its workers to end. Where that cannot be told, the
    door stays open.
    """
    inode = os.fstat(listener.fileno()).st_ino
    master = os.getppid()
    try:
        if _holds(master, inode):
            return True
    except OSError:  # no /proc, or the master runs as somebody else
        return True
    for process in (int(found.name) for found in Path("/proc").glob("[0-9]*")):
        try:
            if _parent(process) != master and _holds(process, inode):
                return True
        except OSError:  # ended meanwhile, or somebody else's
            continue
    return False


def _holds(process: int, inode: int) -> bool:
    return any(found.stat().st_ino == inode for found in Path(f"/proc/{process}/fd").iterdir())


def _parent(process: int) -> int:
    # The name may hold anything, brackets and blanks too; the state and the parent follow it.
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
