"""Fixtures of the web app's tests: a lake with small releases, the app, a real server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from loan_pipeline.settings import Settings
from loan_pipeline_tests.helpers.bundles import release_bundle
from loan_pipeline_tests.helpers.server import Server, start_server
from webapp import create_app


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

    def make(
        home: Path, *, csrf: bool = False, host: str = "127.0.0.1", **settings: object
    ) -> Flask:
        options = {"web_release_check_seconds": 3600}
        app = create_app(Settings(home=home, **(options | settings)), host=host)
        app.config.update(TESTING=True, WTF_CSRF_ENABLED=csrf)
        # As in production: an unexpected error must end as a 500 answer.
        app.config["PROPAGATE_EXCEPTIONS"] = False
        app.test_client_class = BufferedClient
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.extensions["loan_pipeline"].close()


@pytest.fixture
def app(released: Path, make_app: Callable[..., Flask]) -> Flask:
    return make_app(released)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a server for a LOAN_HOME, as people do, and waits until it is alive."""
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
