"""Fixtures for all tests: an S3 server of our own, spoken to over HTTP like any other."""

import gc
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

from loan_pipeline_tests.helpers.aws import aws_variables, new_lake

os.environ["LOAN_ENV_FILE"] = ""  # a developer's own .env is not for tests, nor for their processes
os.environ["LOAN_ROLLING_CUTS"] = "0"  # ten trainings a run, which the tests of the report have
# Trainings of tests side by side do not keep processors busy while their threads wait.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Fixtures that start a server or a browser.
_SERVERS = {"s3_server", "start_mariadb", "serve", "browser", "mlflow_server", "bastion", "mail"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a server or a browser as slow, by the fixtures that it uses.

    The files that may take longest come first, so that none is left to run alone at the end.
    """
    longest: dict[Path, float] = {}
    for item in items:
        if isinstance(item, pytest.Function) and _SERVERS & set(item.fixturenames):
            item.add_marker(pytest.mark.slow)
        limit = item.get_closest_marker("timeout")
        seconds = limit.args[0] if limit else 0
        longest[item.path] = max(seconds, longest.get(item.path, 0))
    items.sort(key=lambda item: -longest[item.path])


def pytest_collection_finish() -> None:
    """Take what was imported out of garbage collection, which would visit it again and again."""
    gc.freeze()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The URL of an S3 server that lives as long as the tests."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # or it logs every request
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(S3Response, "put_object", _one_after_another(S3Response.put_object))
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


def _one_after_another(write: Callable[[S3Response], Any]) -> Callable[[S3Response], Any]:
    """S3 compares and writes in one step; moto in two, between which another writer fits."""
    lock = threading.Lock()

    def locked(response: S3Response) -> Any:
        with lock:
            return write(response)

    return locked


@pytest.fixture
def aws_environment(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """AWS's own variables, set for the test server; the server's URL."""
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in aws_variables(s3_server).items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture
def s3_url(aws_environment: str) -> str:
    """The URL of an empty prefix in a bucket of its own."""
    return new_lake(aws_environment)
