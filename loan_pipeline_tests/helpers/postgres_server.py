"""A private PostgreSQL server that takes connections by TLS alone, as the deployment's does."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

USER, PASSWORD, DATABASE = "dagster", "a-password-of-letters", "dagster"


def postgres_programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`; Debian keeps them off the path."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return folders[-1].parent if folders else None


@contextmanager
def postgres_server(folder: Path, certificate: Path) -> Iterator[str]:
    """Run a server in `folder`, which its own user must be able to enter; gives its URL.

    Args:
        folder: empty; where data and socket go.
        certificate: PEM made out to 127.0.0.1, its key beside it as `key.pem`.
    """
    programs = postgres_programs()
    assert programs is not None
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, secret = folder / "data", folder / "password"
    secret.write_text(PASSWORD)
    for source, name in ((certificate, "cert.pem"), (certificate.with_name("key.pem"), "key.pem")):
        shutil.copy(source, folder / name)
        (folder / name).chmod(0o600)
    # It refuses to run as root; Debian's package makes a user for it.
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        subprocess.run(["chown", "-R", "postgres", str(folder)], check=True)

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [*as_user, str(programs / program), *arguments],
            check=True, stdout=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip

    run("initdb", "-D", str(data), "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}", "-N")
    options = {
        "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder,
        "fsync": "off", "ssl": "on", "ssl_cert_file": folder / "cert.pem",
        "ssl_key_file": folder / "key.pem",
    }  # fmt: skip
    with (data / "postgresql.conf").open("a") as settings:
        settings.writelines(f"{name} = '{value}'\n" for name, value in options.items())
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n"
                                      "local all all scram-sha-256\n")  # fmt: skip
    run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "start")
    try:
        subprocess.run(
            [str(programs / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", USER, DATABASE],
            check=True, env={"PGPASSWORD": PASSWORD, "PATH": os.defpath},
        )  # fmt: skip
        yield (
            f"postgresql+psycopg2://{USER}:{PASSWORD}@127.0.0.1:{port}/{DATABASE}"
            f"?sslmode=verify-full&sslrootcert={certificate}"
        )
    finally:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
