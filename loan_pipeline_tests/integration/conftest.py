"""Real servers that integration tests share: each started once, private, on a free port."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from mariadb_server import MariaDBServer, StartServer


@pytest.fixture(scope="session")
def start_mariadb() -> Iterator[StartServer]:
    """Start a server of one's own with these options of `mariadbd`, gone after the session."""
    for program in ("mariadbd", "mariadb-install-db"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: apt-get install mariadb-server)")
    with ExitStack() as stack:

        def start(*options: str) -> MariaDBServer:
            # A socket's path must be short, so not pytest's own folder.
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mariadb-"))
            server = MariaDBServer(Path(folder), *options)
            stack.callback(server.kill)
            server.start()
            return server

        yield start


@pytest.fixture(scope="session")
def mariadb_server(start_mariadb: StartServer) -> MariaDBServer:
    """One server for the session, for tests that leave it as it is."""
    return start_mariadb()


@pytest.fixture
def mariadb_url(mariadb_server: MariaDBServer) -> str:
    """`mysql+pymysql://…` of an empty database of the test's own."""
    return mariadb_server.new_database("financial")
