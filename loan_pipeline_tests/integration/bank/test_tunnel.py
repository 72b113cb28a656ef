"""The tunnel through a bastion host, against a real sshd."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from loan_pipeline.bank.errors import BankUnreachable
from loan_pipeline.bank.mariadb.tunnel import open_tunnel
from loan_pipeline.bank.open import open_bank
from loan_pipeline.settings import Settings
from loan_pipeline.sources.open import open_source
from loan_pipeline_tests.helpers import tiny_bank
from loan_pipeline_tests.helpers.mariadb_server import MariaDBServer

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")
pytestmark = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh") is None,
    reason="sshd and ssh are not installed (Debian: apt-get install openssh-server)",
)


@dataclass
class Bastion:
    """A running sshd, and the OpenSSH client's configuration that knows it."""

    port: int
    login: str
    config: Path
    known_hosts: Path
    process: subprocess.Popen[bytes]

    @property
    def spec(self) -> str:
        return f"{self.login}@127.0.0.1:{self.port}"


def key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text()


@pytest.fixture
def bastion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bastion]:
    """An sshd of our own; `ssh` on PATH is the system's with a test's configuration."""
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    host_key = key(folder / "host")
    (folder / "authorized").write_text(key(folder / "user"))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{port} {host_key}")
    config = folder / "config"
    config.write_text(
        f"IdentityFile {folder / 'user'}\nIdentitiesOnly yes\nIdentityAgent none\n"
        f"UserKnownHostsFile {known_hosts}\nGlobalKnownHostsFile /dev/null\n"
        "StrictHostKeyChecking yes\n"
    )
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\n"
        f"AuthorizedKeysFile {folder / 'authorized'}\nStrictModes no\nUsePAM no\n"
        f"PidFile none\nPasswordAuthentication no\nPermitRootLogin yes\n"
    )
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    (programs / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where sshd locks itself in
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(SSHD), "-D", "-e", "-f", str(folder / "sshd_config")], stdout=log, stderr=log
        )
    _wait_until(lambda: listens(port))
    login = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout
    try:
        yield Bastion(port, login.strip(), config, known_hosts, process)
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def private_port() -> Iterator[int]:
    """Something that answers with a greeting, as behind a bastion."""
    script = (
        "import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
        "print(s.getsockname()[1], flush=True)\n"
        "while True:\n c = s.accept()[0]\n c.sendall(b'hello')\n c.close()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as server:
        assert server.stdout
        yield int(server.stdout.readline())
        server.kill()


def listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def _wait_until(condition, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_without_a_bastion_the_endpoint_is_the_server_itself() -> None:
    with open_tunnel(None, "bank.example", 3306) as endpoint:
        assert endpoint == ("bank.example", 3306)


def test_the_tunnel_carries_data_and_is_gone_afterwards(
    bastion: Bastion, private_port: int
) -> None:
    with open_tunnel(bastion.spec, "127.0.0.1", private_port) as (host, port):
        assert port != private_port
        with socket.create_connection((host, port)) as connection:
            assert connection.recv(5) == b"hello"
    _wait_until(lambda: not listens(port))  # others may have taken the port for a moment


def test_the_tunnel_is_closed_when_the_work_fails(bastion: Bastion, private_port: int) -> None:
    ports = []

    def fail() -> None:
        with open_tunnel(bastion.spec, "127.0.0.1", private_port) as (_, port):
            ports.append(port)
            raise RuntimeError("work failed")

    with pytest.raises(RuntimeError, match="work failed"):
        fail()
    _wait_until(lambda: not listens(ports[0]))


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_the_tunnel_is_closed_when_the_process_is_killed(
    bastion: Bastion, private_port: int, ending: signal.Signals
) -> None:
    script = (
        "import time\nfrom loan_pipeline.bank.mariadb.tunnel import open_tunnel\n"
        f"with open_tunnel({bastion.spec!r}, '127.0.0.1', {private_port}) as (_, port):\n"
        "    print(port, flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        assert listens(port)
        process.send_signal(ending)
    _wait_until(lambda: not listens(port))


def test_a_bank_behind_a_bastion_is_filled_and_read(
    bastion: Bastion, mariadb_url: str, tmp_path: Path
) -> None:
    bank = open_bank(Settings(database_url=mariadb_url, bastion=bastion.spec))
    assert bank.name.endswith(f"through {bastion.spec}")
    counts = bank.fill(open_source(str(tiny_bank.write_files(tmp_path / "good"))))
    assert bank.row_counts() == counts


def test_tls_through_a_bastion_verifies_the_servers_own_name(
    bastion: Bastion, frail: MariaDBServer, tls_authority: Path
) -> None:
    url = f"{frail.new_database('encrypted')}?ssl_ca={tls_authority}"
    assert not open_bank(Settings(database_url=url, bastion=bastion.spec)).exists()
    # The certificate is made out to 127.0.0.1, which is the tunnel's end but not this name.
    other = url.replace("127.0.0.1", "localhost")
    with pytest.raises(BankUnreachable, match="not to be trusted"):
        open_bank(Settings(database_url=other, bastion=bastion.spec)).exists()


def test_an_unknown_host_key_is_refused(bastion: Bastion) -> None:
    bastion.known_hosts.write_text("")
    with (
        pytest.raises(BankUnreachable, match=r"Host key verification failed.*known hosts"),
        open_tunnel(bastion.spec, "127.0.0.1", 1),
    ):
        pass


def test_a_key_that_the_bastion_does_not_know_is_refused(bastion: Bastion, tmp_path: Path) -> None:
    key(tmp_path / "stranger")
    text = bastion.config.read_text().replace(
        str(bastion.config.with_name("user")), str(tmp_path / "stranger")
    )
    bastion.config.write_text(text)
    with (
        pytest.raises(BankUnreachable, match="Permission denied"),
        open_tunnel(bastion.spec, "127.0.0.1", 1),
    ):
        pass


def test_a_bastion_that_is_not_there_is_named(bastion: Bastion) -> None:
    bastion.process.terminate()
    bastion.process.wait()
    with (
        pytest.raises(BankUnreachable, match=rf"No tunnel through {bastion.spec}.*refused"),
        open_tunnel(bastion.spec, "127.0.0.1", 1),
    ):
        pass


@pytest.mark.parametrize("spec", ["-oProxyCommand=x", "a b@host", "user@host:port", "@", "u@-x"])
def test_an_odd_bastion_is_refused_before_ssh_sees_it(spec: str) -> None:
    with (
        pytest.raises(BankUnreachable, match="write user@host"),
        open_tunnel(spec, "127.0.0.1", 1),
    ):
        pass
