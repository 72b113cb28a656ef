"""Runs Dagster's daemon, one at a time: two of them would execute queued runs twice.

Takes a lock in Dagster's PostgreSQL, then becomes the daemon, so that the lock lasts exactly as
long as the daemon does; a second one waits a minute for it, then ends.
"""

import os
import sys
import time
from typing import NoReturn

import psycopg2

_LOCK = 7_401_962_115_633  # a number of our own among PostgreSQL's advisory locks
_SECONDS_TO_WAIT = 60  # for one that is being replaced
# The server notices within a minute when the lock's holder is gone without a word.
_OPTIONS = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"


def main() -> NoReturn:
    """Take the lock and become the daemon with this command's arguments."""
    url = os.environ["DAGSTER_POSTGRES_URL"].replace("+psycopg2", "", 1)
    connection = psycopg2.connect(url, options=_OPTIONS)
    connection.autocommit = True
    deadline = time.monotonic() + _SECONDS_TO_WAIT
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))
            if cursor.fetchone() == (True,):
                break
            if time.monotonic() > deadline:
                sys.exit("another daemon runs on this database: this one is not started")
            time.sleep(2)
    # PostgreSQL frees the lock when this connection closes: from here on, when the daemon ends.
    os.set_inheritable(connection.fileno(), True)
    os.execvp("dagster-daemon", ["dagster-daemon", "run", *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    main()
