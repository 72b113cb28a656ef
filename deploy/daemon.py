"""Runs Dagster's daemon, one at a time: two of them would execute queued runs twice.

Holds a lock in Dagster's PostgreSQL while the daemon runs; a second one waits a minute, then ends.
"""

import os
import signal
import subprocess
import sys
import time

import psycopg2

_LOCK = 7_401_962_115_633  # a number of our own among PostgreSQL's advisory locks
_SECONDS_TO_WAIT = 60  # for one that is being replaced
# The server notices within a minute when the lock's holder is gone without a word.
_OPTIONS = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"


def main() -> int:
    """Take the lock and run the daemon with this command's arguments; its exit code."""
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
                print(
                    "another daemon runs on this database: this one is not started", file=sys.stderr
                )
                return 1
            time.sleep(2)
    daemon = subprocess.Popen(["dagster-daemon", "run", *sys.argv[1:]])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda found, _frame: daemon.send_signal(found))
    return daemon.wait()


if __name__ == "__main__":
    sys.exit(main())
