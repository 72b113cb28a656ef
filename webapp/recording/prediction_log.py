"""The prediction log: every answer is written and committed before it is sent.

The table is `contracts.prediction_log`; several processes may write to it.
"""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

import orjson

from loan_pipeline.contracts.prediction_log import (
    ADD_MISSING_COLUMNS,
    CREATE_PREDICTION_LOG,
    DELETE_OLD_ROWS,
    IDENTIFY_OLD_ROWS,
)
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.scoring.scorer import Prediction

logger = logging.getLogger(__name__)

_BUSY_SECONDS = 5.0  # to wait for another process that writes
_INSERT = """
INSERT INTO predictions (prediction_id, answered_at, milliseconds, request_id, line, source,
                         visitor, caller, feature_set, model_version, account_id, inputs, features,
                         probability_paid_off, prediction, referred, principal_reasons)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_PAST = """
SELECT prediction_id, answered_at, feature_set, model_version, inputs, features,
       probability_paid_off, prediction, referred, principal_reasons
FROM predictions WHERE visitor = ?
"""
_RECENT = f"{_PAST} ORDER BY id DESC LIMIT ?"
_ONE = f"{_PAST} AND prediction_id = ?"


class NotRecorded(LoanPipelineError):
    """An answer that was not given, because it could not be recorded."""


@dataclass(frozen=True)
class Answer:
    """What is recorded of an answer.

    Attributes:
        inputs: what the caller sent.
        features: what the model saw; NaN for a missing value.
        line: in a batch's file; None for a single request.
        prediction_id: unique among all logs.
    """

    prediction: Prediction
    inputs: Mapping[str, object]
    features: Mapping[str, float]
    line: int | None = None
    prediction_id: str = field(default_factory=lambda: token_hex(16))


@dataclass(frozen=True)
class PastAnswer:
    """An answer as it was recorded.

    Attributes:
        features: the names of those that the model saw.
        referred: whether a person had to decide.
        principal_reasons: of a refusal: `code`, `feature`, `value`, `text`.
    """

    prediction_id: str
    answered_at: datetime
    feature_set: str
    model_version: str
    inputs: dict[str, Any]
    features: frozenset[str]
    probability_paid_off: float
    prediction: str
    referred: bool
    principal_reasons: list[dict[str, Any]]

    @property
    def is_refusal(self) -> bool:
        """Whether the model refused, with reasons that a letter can name."""
        refused = self.prediction == "not_paid_off" and not self.referred
        return refused and bool(self.principal_reasons)


class PredictionLog:
    """Where answers are recorded. Threads share it.

    Args:
        path: the SQLite file; made when the first answer is written.
        keep_days: older answers that were shipped are removed when the log is opened.
        required: whether an answer that cannot be recorded is refused.
        on_loss: called with the number of answers that were given all the same.
    """

    def __init__(
        self, path: Path, keep_days: int, *, required: bool, on_loss: Callable[[int], None]
    ) -> None:
        self.path = path
        self._keep = timedelta(days=keep_days)
        self._required = required
        self._on_loss = on_loss
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def record(
        self,
        answers: Sequence[Answer],
        *,
        source: str,
        request_id: str,
        milliseconds: float,
        visitor: str | None = None,
        caller: str | None = None,
    ) -> None:
        """Write the answers of one request in one transaction.

        They survive the process's end; the last ones before a power failure may be lost, since
        SQLite syncs its write-ahead log at checkpoints only.

        Raises:
            NotRecorded: they cannot be written, and must be.
        """
        at = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        of_request = (at, round(milliseconds, 3), request_id)
        asked_by = (source, visitor, caller)
        rows = [_row(answer, of_request, asked_by) for answer in answers]
        try:
            with self._lock:
                self._write(rows)
        except (sqlite3.Error, OSError) as error:
            logger.warning("answers are not recorded: %s: %s", self.path, error)
            if self._required:
                raise NotRecorded(
                    "The answer cannot be recorded, so none is given. The operator finds the cause "
                    "in the server's log."
                ) from error
            self._on_loss(len(rows))

    def recent(self, visitor: str, limit: int) -> list[PastAnswer]:
        """A visitor's latest answers, newest first.

        Raises:
            sqlite3.Error: the log cannot be read.
        """
        return self._past(_RECENT, visitor, limit)

    def find(self, visitor: str, prediction_id: str) -> PastAnswer | None:
        """One of a visitor's answers; None where it is none of theirs.

        Raises:
            sqlite3.Error: the log cannot be read.
        """
        return next(iter(self._past(_ONE, visitor, prediction_id)), None)

    def _past(self, query: str, *values: object) -> list[PastAnswer]:
        if not self.path.exists():
            return []
        with self._lock:
            if self._connection is None:  # an earlier version's log gets its columns first
                self._connection = self._open()
        with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=2)) as db:
            db.row_factory = sqlite3.Row
            rows = db.execute(query, values).fetchall()
        return [_past_answer(row) for row in rows]

    def close(self) -> None:
        """Close the file; a later answer opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _write(self, rows: list[tuple[object, ...]]) -> None:
        if self._connection is None:
            self._connection = self._open()
        try:
            with self._connection:
                if len(rows) > 1:  # one is a transaction by itself
                    self._connection.execute("BEGIN")
                self._connection.executemany(_INSERT, rows)
        except (sqlite3.Error, OSError):
            self._connection.close()
            self._connection = None
            raise

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None
        )
        try:
            _write_ahead(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(CREATE_PREDICTION_LOG)
            _add_missing_columns(connection)
            oldest = (datetime.now(UTC) - self._keep).isoformat()
            connection.execute(DELETE_OLD_ROWS, (oldest,))
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def _row(
    answer: Answer, of_request: tuple[object, ...], asked_by: tuple[object, ...]
) -> tuple[object, ...]:
    prediction = answer.prediction
    return (
        answer.prediction_id,
        *of_request,
        answer.line,
        *asked_by,
        prediction.feature_set,
        prediction.model_version,
        answer.inputs.get("account_id"),
        orjson.dumps(answer.inputs).decode(),
        orjson.dumps(answer.features).decode(),
        prediction.probability_paid_off,
        prediction.prediction,
        int(bool(prediction.referral)),
        orjson.dumps(prediction.principal_reasons).decode(),
    )


def _past_answer(row: sqlite3.Row) -> PastAnswer:
    return PastAnswer(
        prediction_id=row["prediction_id"],
        answered_at=datetime.fromisoformat(row["answered_at"]),
        feature_set=row["feature_set"],
        model_version=row["model_version"],
        inputs=json.loads(row["inputs"]),
        features=frozenset(json.loads(row["features"])),
        probability_paid_off=row["probability_paid_off"],
        prediction=row["prediction"],
        referred=bool(row["referred"]),
        principal_reasons=json.loads(row["principal_reasons"]),
    )


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log, for which SQLite does not wait where others are writing."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _add_missing_columns(connection: sqlite3.Connection) -> None:
    known = {row[1] for row in connection.execute("PRAGMA table_info(predictions)")}
    if missing := ADD_MISSING_COLUMNS.keys() - known:
        for name in sorted(missing):
            connection.execute(
                f"ALTER TABLE predictions ADD COLUMN {name} {ADD_MISSING_COLUMNS[name]}"
            )
        connection.executescript(IDENTIFY_OLD_ROWS)
