"""Serves the app with waitress, and stops it so that no request fails behind a proxy.

Waitress reads requests and writes answers in one thread for all connections and hands whole
requests to a few others, so that slow clients hold nothing but their connection.
"""

import gc
import os
import signal
import threading
import time
import warnings
from types import FrameType
from typing import Any

from waitress.channel import HTTPChannel
from waitress.server import create_server

from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.settings import Settings
from webapp.app import LARGEST_BODY, create_app
from webapp.app_state import EXTENSION, AppState
from webapp.recording.json_log import log_to_stdout

_THREADS = 4
_MOST_CONNECTIONS = 900  # each needs a file, of which a process may usually open 1,024
# Whole answers up to this size are sent by the thread that waits for connections. Where each thread
# sends its own, it gives the interpreter up for that, the waiting one takes it to look at every
# connection in vain, and 64 connections at once get a quarter of the answers.
_BYTES_TO_SEND = 65_536
_SECONDS_TO_FINISH = 30.0  # for requests under way once no new ones are taken


class CannotServe(LoanPipelineError):
    """The address cannot be listened on."""


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT.

    At SIGTERM `/readyz` answers 503, while requests are answered for `web_drain_seconds` more; then
    requests under way are finished. SIGINT, or a second SIGTERM, ends it at once.

    Raises:
        CannotServe: the address is taken, or not this machine's.
        LoanPipelineError: a setting cannot be used.
    """
    log_to_stdout()
    app = create_app(settings, host=host)
    state: AppState = app.extensions[EXTENSION]
    connections: dict[int, Any] = {}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "send_bytes", DeprecationWarning)
            server = create_server(
                app,
                map=connections,
                host=host,
                port=port,
                threads=_THREADS,
                connection_limit=_MOST_CONNECTIONS,
                asyncore_use_poll=True,  # select() cannot count that far
                send_bytes=_BYTES_TO_SEND,
                max_request_body_size=2 * LARGEST_BODY,  # the app refuses from half on, in words
                clear_untrusted_proxy_headers=not settings.web_proxies,
                ident=None,
            )
    except OSError as error:
        raise CannotServe(
            f"cannot listen on {host}:{port} ({error.strerror}): set WEB_HOST, or WEB_PORT or PORT"
        ) from error

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if state.draining.is_set():
            raise KeyboardInterrupt
        state.draining.set()
        arguments = (settings.web_drain_seconds, connections)
        threading.Thread(target=_drain, args=arguments, name="drain", daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # What was loaded stays: collections that look at all of it would show in the slowest requests.
    gc.collect()
    gc.freeze()
    server.print_listen("Serving on http://{}:{}")
    server.run()  # until KeyboardInterrupt, which it catches
    state.close()


def _drain(seconds: float, connections: dict[int, Any]) -> None:
    """Let requests come for some seconds and those under way be answered, then end the server."""
    time.sleep(seconds)
    deadline = time.monotonic() + _SECONDS_TO_FINISH
    while _under_way(connections) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)


def _under_way(connections: dict[int, Any]) -> bool:
    return any(
        channel.requests or channel.total_outbufs_len
        for channel in list(connections.values())
        if isinstance(channel, HTTPChannel)
    )
