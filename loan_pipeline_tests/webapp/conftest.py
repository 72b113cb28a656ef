"""Fixtures of the web app's tests: a lake with small releases, the app, a real server."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient

from loan_pipeline.settings import Settings
from loan_pipeline_tests.bundles import release_bundle
from webapp import create_app

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A LOAN_HOME with an empty lake."""
    (tmp_path / "lake").mkdir()
    return tmp_path


@pytest.fixture
def released(home: Path) -> Path:
    """A LOAN_HOME with a release of both feature sets."""
    release_bundle(home / "lake", "application")
    release_bundle(home / "lake", "behavioural")
    return home


class BufferedClient(FlaskClient):
    """Reads each answer to its end, so that files are closed."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """As Flask's."""
        return super().open(*args, **({"buffered": True} | kwargs))


@pytest.fixture
def make_app() -> Iterator[Callable[..., Flask]]:
    """Makes apps for a LOAN_HOME; their background threads end with the test."""
    apps: list[Flask] = []

    def make(home: Path, *, csrf: bool = False, **settings: object) -> Flask:
        options = {"web_rate_limit": "100000/minute", "web_release_check_seconds": 3600}
        app = create_app(Settings(home=home, **(options | settings)))
        app.config.update(TESTING=True, WTF_CSRF_ENABLED=csrf)
        # As in production: an error that nobody foresaw must end as a 500 answer.
        app.config["PROPAGATE_EXCEPTIONS"] = False
        app.test_client_class = BufferedClient
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.extensions["loan_pipeline"].models.stop()
        app.extensions["loan_pipeline"].log.close()


@pytest.fixture
def app(released: Path, make_app: Callable[..., Flask]) -> Flask:
    return make_app(released)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@dataclass
class Server:
    """A gunicorn of our own."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> int:
        """Ask it to end, wait, and tell its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=40)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts gunicorn for a LOAN_HOME, as people do, and waits until it is alive."""
    servers: list[Server] = []

    def start(home: Path, **environment: str) -> Server:
        server = start_server(home, tmp_path / f"server-{len(servers)}.log", **environment)
        servers.append(server)
        return server

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


def start_server(home: Path, log: Path, **environment: str) -> Server:
    """Start gunicorn on a free port and wait until `/healthz` answers."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("LOAN_", "PROMETHEUS_"))}
    plain |= {
        "LOAN_HOME": str(home),
        "LOAN_WEB_RATE_LIMIT": "1000000/minute",
        "LOAN_WEB_API_RATE_LIMIT": "1000000/minute",
        "LOAN_WEB_RELEASE_CHECK_SECONDS": "0.2",
        "WEB_HOST": "127.0.0.1",
        "WEB_PORT": str(port),
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "webapp/gunicorn.conf.py"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "webapp:create_app()"],
            cwd=ROOT,
            env=plain | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(f"http://127.0.0.1:{port}", port, process, log)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            alive = httpx.get(f"{server.url}/healthz", timeout=2).is_success
        except httpx.HTTPError:
            alive = False
        if alive:
            return server
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise AssertionError(f"the server did not start:\n{log.read_text()[-3000:]}")
