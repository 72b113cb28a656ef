"""Records every answer without slowing or failing a request: a deque, one writing thread.

The table is `contracts.prediction_log`; several workers may write to it.
"""

import json
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from loan_pipeline.contracts.prediction_log import CREATE_PREDICTION_LOG
from loan_pipeline.scoring.scorer import Prediction
from webapp import moments

logger = logging.getLogger(__name__)

_MOST_WAITING = 20_000  # answers; beyond, new ones are dropped and counted
# One statement for all rows: stepping row by row would take and give back Python's lock each time,
# against the threads that answer requests.
_INSERT = """
INSERT INTO predictions (answered_at, request_id, source, visitor, feature_set, model_version,
                         account_id, inputs, probability_paid_off, prediction)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
       json_extract(value, '$[6]'), json_extract(value, '$[7]'), json_extract(value, '$[8]'),
       json_extract(value, '$[9]')
FROM json_each(?)
"""
_RECENT = """
SELECT answered_at, feature_set, model_version, inputs, probability_paid_off, prediction
FROM predictions WHERE visitor = ? ORDER BY id DESC LIMIT ?
"""


# When, request, source, visitor, feature set, version, inputs, probability, prediction.
_Waiting = tuple[float, str, str, str | None, str, str, Mapping[str, object], float, str]


@dataclass(frozen=True)
class LoggedAnswer:
    """One line of the history."""

    answered_at: datetime
    feature_set: str
    model_version: str
    inputs: dict[str, Any]
    probability_paid_off: float
    prediction: str


class PredictionLog:
    """Where answers are recorded.

    Args:
        path: the SQLite file; made when the first answer is written.
        keep_days: older answers are removed when the log is opened.
        on_loss: hears how many answers could not be recorded.
    """

    def __init__(self, path: Path, keep_days: int, on_loss: Callable[[int], None]) -> None:
        self._path = path
        self._keep = timedelta(days=keep_days)
        self._on_loss = on_loss
        # Threads append to and take from a deque without a lock.
        self._waiting: deque[_Waiting] = deque()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._hurry = threading.Event()
        self._written = threading.Event()
        self._closing = False
        self._failing = False

    def record(
        self,
        answer: Prediction,
        inputs: Mapping[str, object],
        *,
        source: str,
        request_id: str,
        visitor: str | None = None,
    ) -> None:
        """Note an answer; returns at once, whatever becomes of it."""
        if len(self._waiting) >= _MOST_WAITING:
            self._on_loss(1)
            return
        # Plain values only: keeping the whole answer alive, with all its reasons, costs every
        # request the memory that is still warm.
        self._waiting.append(
            (
                time.time(),
                request_id,
                source,
                visitor,
                answer.feature_set,
                answer.model_version,
                inputs,
                answer.probability_paid_off,
                answer.prediction,
            )
        )
        if self._thread is None:
            self._start()

    def recent(self, visitor: str, limit: int) -> list[LoggedAnswer]:
        """A visitor's latest answers, newest first.

        Raises:
            sqlite3.Error: the log cannot be read.
        """
        self._write_now()
        if not self._path.exists():
            return []
        with closing(sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, timeout=2)) as db:
            rows = db.execute(_RECENT, (visitor, limit)).fetchall()
        return [
            LoggedAnswer(datetime.fromisoformat(at), name, version, json.loads(inputs), p, answer)
            for at, name, version, inputs, p, answer in rows
        ]

    def close(self) -> None:
        """Write what waits and stop; the last answers of a stopping worker are not lost."""
        if self._thread is not None:
            self._closing = True
            self._hurry.set()
            self._thread.join(timeout=5)
            self._closing = False
            self._thread = None

    def _write_now(self) -> None:
        if self._thread is not None:
            self._written.clear()
            self._hurry.set()
            self._written.wait(1)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._write_all, name="prediction-log", daemon=True
                )
                self._thread.start()

    def _write_all(self) -> None:
        connection: sqlite3.Connection | None = None
        going = True
        while going:
            self._hurry.wait(moments.seconds_to_next())
            self._hurry.clear()
            going = not self._closing
            rows = [_row(self._waiting.popleft()) for _ in range(len(self._waiting))]
            if rows:
                connection = self._write(connection, rows)
            self._written.set()
        if connection is not None:
            connection.close()

    def _write(
        self, connection: sqlite3.Connection | None, rows: list[tuple[object, ...]]
    ) -> sqlite3.Connection | None:
        """Write rows; returns the connection to go on with, None where it failed."""
        try:
            if connection is None:
                connection = self._open()
            with connection:
                connection.execute(_INSERT, (orjson.dumps(rows).decode(),))
        except (sqlite3.Error, OSError) as error:
            self._on_loss(len(rows))
            if not self._failing:
                logger.warning("answers are not recorded: %s: %s", self._path, error)
            self._failing = True
            if connection is not None:
                connection.close()
            return None
        self._failing = False
        return connection

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=5)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(CREATE_PREDICTION_LOG)
            oldest = (datetime.now(UTC) - self._keep).isoformat()
            with connection:
                connection.execute("DELETE FROM predictions WHERE answered_at < ?", (oldest,))
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def _row(waiting: _Waiting) -> tuple[object, ...]:
    at, request_id, source, visitor, feature_set, version, inputs, probability, prediction = waiting
    return (
        datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
        request_id,
        source,
        visitor,
        feature_set,
        version,
        inputs.get("account_id"),
        orjson.dumps(inputs).decode(),
        probability,
        prediction,
    )
