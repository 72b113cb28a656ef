"""A tunnel to a private server through a bastion host, with the system's OpenSSH client.

Keys, agent, aliases and host keys are those of the user's own OpenSSH configuration.
"""

import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from loan_pipeline.bank.errors import BankUnreachable

_BASTION = re.compile(r"^(?P<login>[^-@:\s][^@:\s]*@)?(?P<host>[^-@:\s][^@:\s]*)(:(?P<port>\d+))?$")
_CONNECT_SECONDS = 20
_READY = "tunnel ready"

# The watcher ends ssh when our end of the pipe closes, which happens however we end.
_SCRIPT = """
exec 3<&0
ssh "$@" </dev/null 3<&- &
ssh=$!
(read -r _ <&3; kill "$ssh" 2>/dev/null) >/dev/null 2>&1 &
exec 3<&-
wait "$ssh"
"""


@contextmanager
def open_tunnel(bastion: str | None, host: str, port: int) -> Iterator[tuple[str, int]]:
    """The endpoint by which `host:port` can be reached from here, for as long as needed.

    Args:
        bastion: `[user@]host[:port]` of the SSH host; None to go without.
        host: the server as the bastion host knows it.
        port: the server's port.

    Raises:
        BankUnreachable: where the tunnel cannot be opened, with what ssh said.
    """
    if bastion is None:
        yield host, port
        return
    arguments = _ssh_arguments(bastion)
    local_port = _free_port()
    forward = f"127.0.0.1:{local_port}:{host}:{port}"
    with subprocess.Popen(
        ["sh", "-c", _SCRIPT, "sh", "-L", forward, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for us; we close the tunnel ourselves
    ) as process:
        try:
            _wait_until_ready(process, bastion)
            yield "127.0.0.1", local_port
        finally:
            _close(process)


def _ssh_arguments(bastion: str) -> list[str]:
    match = _BASTION.match(bastion)
    if match is None:
        raise BankUnreachable(
            "LOAN_BASTION names no SSH host: write user@host or user@host:port, no password."
        )
    if shutil.which("ssh") is None:
        raise BankUnreachable("LOAN_BASTION needs the OpenSSH client: install ssh.")
    options = {
        "BatchMode": "yes",  # no person is there to answer questions
        "ExitOnForwardFailure": "yes",
        "ConnectTimeout": "10",
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "3",
        "ControlPath": "none",  # a shared connection would outlive us
        "PermitLocalCommand": "yes",
        "LocalCommand": f"echo {_READY}",  # runs once the forwarding stands
    }
    settings = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    port = ["-p", match["port"]] if match["port"] else []
    return ["-N", "-T", *settings, *port, f"{match['login'] or ''}{match['host']}"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[str], bastion: str) -> None:
    out, err = cast("IO[str]", process.stdout), cast("IO[str]", process.stderr)
    # Reading a pipe knows no limit: a timer ends a bastion that hangs.
    timer = threading.Timer(_CONNECT_SECONDS, _close, [process])
    timer.start()
    try:
        first = out.readline()
    finally:
        timer.cancel()
    if first.strip() != _READY:
        _close(process)
        said = " ".join(err.read().split()) or "no answer"
        raise BankUnreachable(
            f"No tunnel through {bastion}: ssh said: {said}. Check that `ssh {bastion}` works "
            "without a question; it uses your own SSH configuration, keys and known hosts."
        )


def _close(process: subprocess.Popen[str]) -> None:
    """Close our end of the watcher's pipe, and see ssh gone."""
    if process.stdin and not process.stdin.closed:
        process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
