"""Real servers that integration tests share: each started once, private, on a free port."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from loan_pipeline_tests.helpers.certificates import certificate
from loan_pipeline_tests.helpers.mariadb_server import MariaDBServer, StartServer


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


@pytest.fixture(scope="session")
def tls_authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of `frail`, made out to 127.0.0.1, which it signed itself."""
    return certificate(tmp_path_factory.mktemp("tls") / "tls")


@pytest.fixture(scope="session")
def frail(start_mariadb: StartServer, tls_authority: Path) -> MariaDBServer:
    """A server with TLS and little room, which tests may kill and start again."""
    return start_mariadb(
        f"--ssl-cert={tls_authority}",
        f"--ssl-key={tls_authority.with_name('key.pem')}",
        f"--ssl-ca={tls_authority}",
        "--innodb-file-per-table=0",
        "--innodb-data-file-path=ibdata1:12M:autoextend:max:40M",
    )
