"""gunicorn's threaded worker, made to drop nothing when it is told to stop.

Loaded before the server forks: it must not import the app.
"""

import time

from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

_SECONDS_FOR_REQUESTS_UNDER_WAY = 5.0


class DrainingWorker(ThreadWorker):  # type: ignore[misc]
    """Answers connections that wait in the listener's queue before it closes the listener.

    gunicorn leaves them there, and the kernel resets them when the last worker ends.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        """Stop or start to take connections; when stopping for good, take the last ones."""
        super().set_accept_enabled(enabled)
        if not self.alive and not enabled:
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
