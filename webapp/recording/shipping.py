"""Ships the prediction log to the lake: from every process and disk, each row exactly once.

Rows are assigned to an object, in the log's own file, before the object is written. Whatever is
killed in between, the same rows go to the same object again. What objects look like is
`contracts.shipped_predictions`.
"""

import fcntl
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from loan_pipeline.contracts.prediction_log import COUNT_UNSHIPPED_ROWS, CREATE_PREDICTION_LOG
from loan_pipeline.contracts.shipped_predictions import packed_rows, shipped_key
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.lake.protocol import Store

logger = logging.getLogger(__name__)

_MOST_ROWS = 4_000  # in one object: some 7 MB of text, of which memory holds a few times that
_SECONDS_TO_STOP = 10.0  # what a container is given; what is left is shipped at the next start
_BUSY_SECONDS = 5.0  # to wait for a process that writes answers
# SQLite has one writer at a time, so numbers become visible in their order: nothing appears later
# below the last one assigned.
_UNASSIGNED = """
SELECT id, prediction_id, answered_at FROM predictions
WHERE id > (SELECT coalesce(max(last_id), 0) FROM shipments) ORDER BY id LIMIT ?
"""


class NotShipped(LoanPipelineError):
    """Answers that are recorded here and did not reach the lake; they are tried again."""


class LogShipper:
    """Ships one log file. Threads and processes may ship the same file at once.

    Args:
        log: the prediction log, which need not exist yet.
        store: the lake.
        seconds: how long new rows wait at most for the next try.
        on_waiting: called after each try with the number of rows that are not in the lake.
    """

    def __init__(
        self,
        log: Path,
        store: Store,
        seconds: float = 20,
        on_waiting: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._log = log
        self._store = store
        self._seconds = seconds
        self._on_waiting = on_waiting
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing = False

    def start(self) -> None:
        """Ship every so often, in the background."""
        self._thread = threading.Thread(target=self._run, name="log-shipper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ship what is there a last time, and end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=_SECONDS_TO_STOP)
            self._thread = None

    def ship_now(self) -> int:
        """Ship everything recorded so far, in this thread.

        For disks that do not last: an answer whose row has been shipped cannot be lost.

        Returns:
            How many rows were shipped.

        Raises:
            NotShipped: the log cannot be read, or the lake refused; nothing is lost.
        """
        if not self._log.exists():
            return 0
        try:
            with self._alone(), closing(self._open()) as connection:
                shipped = self._ship_assigned(connection)
                while self._assign(connection):
                    shipped += self._ship_assigned(connection)
                return shipped
        except (sqlite3.Error, OSError, LoanPipelineError) as error:
            raise NotShipped(
                f"answers in {self._log} are not shipped to {self._store.url}: {error}"
            ) from error

    def waiting(self) -> int:
        """How many recorded rows are not known to be in the lake.

        Raises:
            sqlite3.Error: the log cannot be read.
        """
        if not self._log.exists():
            return 0
        with closing(self._open()) as connection:
            return int(connection.execute(COUNT_UNSHIPPED_ROWS).fetchone()[0])

    def _run(self) -> None:
        going = True
        while going:
            going = not self._stopping.is_set()
            try:
                self.ship_now()
            except NotShipped as error:
                if not self._failing:  # once, not every few seconds
                    logger.warning("%s; tried again every %.0f s", error, self._seconds)
                self._failing = True
            else:
                if self._failing:
                    logger.warning("answers are shipped to %s again", self._store.url)
                self._failing = False
            with suppress(sqlite3.Error):
                self._on_waiting(self.waiting())
            if going:
                self._stopping.wait(self._seconds)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process of a log ships at a time; a killed one's lock is released."""
        with self._log.with_name(f"{self._log.name}.shipping").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._log, timeout=_BUSY_SECONDS)
        try:
            connection.row_factory = sqlite3.Row
            # A shipment that a power failure undoes would assign its rows a second time.
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(CREATE_PREDICTION_LOG)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _assign(self, connection: sqlite3.Connection) -> bool:
        """Give the next rows of one day to an object; False where there are none."""
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            rows = connection.execute(_UNASSIGNED, (_MOST_ROWS,)).fetchall()
            if not rows:
                return False
            first = rows[0]
            day, last_id = _day(first), first["id"]
            for row in rows:
                if _day(row) != day:
                    break
                last_id = row["id"]
            key = shipped_key(first["answered_at"], first["prediction_id"])
            connection.execute(
                "INSERT INTO shipments VALUES (?, ?, ?, 0)", (first["id"], last_id, key)
            )
        return True

    def _ship_assigned(self, connection: sqlite3.Connection) -> int:
        shipped = 0
        assigned = connection.execute("SELECT * FROM shipments WHERE NOT shipped ORDER BY first_id")
        for shipment in assigned.fetchall():
            of_shipment = (shipment["first_id"], shipment["last_id"])
            rows = connection.execute(
                "SELECT * FROM predictions WHERE id BETWEEN ? AND ? ORDER BY id", of_shipment
            ).fetchall()
            self._store.write(shipment["key"], packed_rows([dict(row) for row in rows]))
            with connection:
                connection.execute(
                    "UPDATE shipments SET shipped = 1 WHERE first_id = ?", of_shipment[:1]
                )
            shipped += len(rows)
        return shipped


def _day(row: sqlite3.Row) -> str:
    day: str = row["answered_at"][:10]
    return day
