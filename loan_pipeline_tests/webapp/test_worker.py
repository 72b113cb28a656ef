"""The last moments of a listening socket."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from webapp.worker import _close_door, _serves_on

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a filter of Linux's")


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def test_a_closed_door_keeps_out_new_connections_and_no_others(listener):
    with socket.create_connection(listener.getsockname()) as earlier:
        assert _close_door(listener)
        with pytest.raises(TimeoutError):
            socket.create_connection(listener.getsockname(), timeout=0.3)
        earlier.sendall(b"asked before")
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(100) == b"asked before"
            accepted.sendall(b"answered")
        assert earlier.recv(100) == b"answered"


def test_a_listener_serves_on_while_a_process_beyond_the_workers_holds_it(listener):
    assert not _serves_on(listener)
    # A process of init's, as a server that took the listener over is no child of our master.
    script = "import os, time; os.fork() and os._exit(0); os.setsid(); time.sleep(60)"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, pass_fds=[listener.fileno()], start_new_session=True):
        pass
    (holder,) = _holders(listener)
    try:
        assert _serves_on(listener)
    finally:
        os.kill(holder, 9)


def _holders(listener: socket.socket) -> list[int]:
    inode = os.fstat(listener.fileno()).st_ino
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            held = any(fd.stat().st_ino == inode for fd in (process / "fd").iterdir())
        except OSError:
            continue
        if held and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found
