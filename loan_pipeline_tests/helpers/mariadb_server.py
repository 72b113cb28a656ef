"""A private MariaDB server that tests start, kill and start again."""

import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pymysql

_STARTING_SECONDS = 60
_NO_NEED_TO_BE_DURABLE = (
    "--innodb-flush-method=nosync",
    "--innodb-flush-log-at-trx-commit=2",
    "--sync-frm=0",
)


class MariaDBServer:
    """A private MariaDB server that a test may also kill and start again.

    Args:
        folder: where its data, socket and log are; made when it starts first.
        options: further options of `mariadbd`.
    """

    user, password = "bank", "it's a p@ss/word"

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.port = _free_port()
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        data, temporary = self.folder / "data", self.folder / "tmp"
        # Not the system's: a server that starts, or that installs itself, deletes every temporary
        # table in it, also others'.
        temporary.mkdir(parents=True, exist_ok=True)
        as_root = ["--user=root"] if os.geteuid() == 0 else []
        if not data.exists():
            subprocess.run(
                ["mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal",
                 "--skip-test-db", f"--datadir={data}", f"--tmpdir={temporary}", *as_root],
                check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["mariadbd", "--no-defaults", f"--datadir={data}", f"--port={self.port}",
                 f"--socket={self.folder / 's'}", "--bind-address=127.0.0.1", *as_root,
                 f"--tmpdir={temporary}", f"--pid-file={self.folder / 'pid'}",
                 *_NO_NEED_TO_BE_DURABLE, *self._options],
                stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + _STARTING_SECONDS
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port)):
                    return
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.1)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()

    def kill_connections(self) -> None:
        """Cut everybody off who is not root."""
        with self.root() as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM information_schema.processlist WHERE user = %s", (self.user,)
            )
            for (number,) in cursor.fetchall():
                cursor.execute(f"KILL {number}")

    def root(self, database: str | None = None) -> pymysql.Connection:
        return pymysql.connect(
            unix_socket=str(self.folder / "s"), user="root", database=database, autocommit=True,
            ssl_disabled=True,
        )  # fmt: skip

    def new_database(self, name: str) -> str:
        """Make an empty database and answer the URL of a user who owns it."""
        with self.root() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
            cursor.execute(f"CREATE DATABASE `{name}`")
            cursor.execute(f"CREATE USER IF NOT EXISTS '{self.user}'@'%%' IDENTIFIED BY %s",
                           (self.password,))  # fmt: skip
            cursor.execute(f"GRANT ALL ON `{name}`.* TO '{self.user}'@'%'")
        return (
            f"mysql+pymysql://{self.user}:it%27s%20a%20p%40ss%2Fword@127.0.0.1:{self.port}/{name}"
        )


StartServer = Callable[..., MariaDBServer]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
