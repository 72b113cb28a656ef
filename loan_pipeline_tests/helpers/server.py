"""The web app served as people serve it, for tests and screenshots."""

import os
import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]


@dataclass
class Server:
    """A running `loan-pipeline serve`."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> int:
        """Ask it to end, wait, and return its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=40)


def start_server(home: Path, log: Path, **environment: str) -> Server:
    """Start it on a free port and wait until `/healthz` answers."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("LOAN_", "WEB_", "PORT"))}
    plain |= {
        "LOAN_HOME": str(home),
        "LOAN_WEB_RELEASE_CHECK_SECONDS": "0.2",
        "LOAN_WEB_DRAIN_SECONDS": "0",
        "WEB_HOST": "127.0.0.1",
        "WEB_PORT": str(port),
    }
    command = [str(Path(sys.executable).with_name("loan-pipeline")), "serve"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=plain | {"PYTHONPATH": str(ROOT)} | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(f"http://127.0.0.1:{port}", port, process, log)
    deadline = time.monotonic() + 60
    with httpx.Client(base_url=server.url, timeout=2) as client:  # made once: it loads certificates
        while time.monotonic() < deadline and process.poll() is None:
            try:
                alive = client.get("/healthz").is_success
            except httpx.HTTPError:
                alive = False
            if alive:
                return server
            time.sleep(0.02)
    process.kill()
    process.wait()
    raise AssertionError(f"the server did not start:\n{log.read_text()[-3000:]}")
