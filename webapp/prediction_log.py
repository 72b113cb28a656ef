"""Records every answer without slowing or failing a request: a queue, one writing thread.

The table is `contracts.prediction_log`; several workers may write to it.
"""

import json
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loan_pipeline.contracts.prediction_log import CREATE_PREDICTION_LOG
from loan_pipeline.scoring.scorer import Prediction

logger = logging.getLogger(__name__)

_WAITING = 20_000  # answers; beyond, new ones are dropped and counted
_AT_ONCE = 1_000
_GATHER_SECONDS = 0.05
_INSERT = """
INSERT INTO predictions (answered_at, request_id, source, visitor, feature_set, model_version,
                         account_id, inputs, probability_paid_off, prediction)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_RECENT = """
SELECT answered_at, feature_set, model_version, inputs, probability_paid_off, prediction
FROM predictions WHERE visitor = ? ORDER BY id DESC LIMIT ?
"""


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
        self._waiting: queue.Queue[tuple[object, ...] | None] = queue.Queue(_WAITING)
        self._starting = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
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
        row = (
            datetime.now(UTC).isoformat(timespec="milliseconds"),
            request_id,
            source,
            visitor,
            answer.feature_set,
            answer.model_version,
            inputs.get("account_id"),
            json.dumps(inputs),
            answer.probability_paid_off,
            answer.prediction,
        )
        if self._thread is None:
            self._start()
        try:
            self._waiting.put_nowait(row)
        except queue.Full:
            self._on_loss(1)

    def recent(self, visitor: str, limit: int) -> list[LoggedAnswer]:
        """A visitor's latest answers, newest first; empty while nothing is written yet."""
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
            self._closing.set()
            self._waiting.put(None)
            self._thread.join(timeout=5)
            self._closing.clear()
            self._thread = None

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
            rows = [self._waiting.get()]
            if rows[0] is not None:
                # Many answers in one transaction cost hardly more than one.
                self._closing.wait(_GATHER_SECONDS)
            while len(rows) < _AT_ONCE and not self._waiting.empty():
                rows.append(self._waiting.get())
            going = None not in rows
            connection = self._write(connection, [row for row in rows if row is not None])
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
                connection.executemany(_INSERT, rows)
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
