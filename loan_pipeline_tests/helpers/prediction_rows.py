"""Prediction logs for tests: rows as the web app records them, without a model behind them."""

import json
import sqlite3
import uuid
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loan_pipeline.contracts.prediction_log import CREATE_PREDICTION_LOG, PREDICTION_LOG_FILE


def prediction_row(**changes: Any) -> dict[str, Any]:
    """One answer; `inputs` and `features` may be given as dictionaries."""
    row = {
        "prediction_id": uuid.uuid4().hex,
        "answered_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "milliseconds": 1.5,
        "request_id": uuid.uuid4().hex,
        "line": None,
        "source": "api",
        "visitor": "a-visitor",
        "feature_set": "behavioural",
        "model_version": "20261101T000000Z-aaaaaaaa",
        "account_id": 1,
        "inputs": {"account_id": 1, "amount": 96_000, "duration": 24},
        "features": {"amount": 96_000.0, "duration": 24.0},
        "probability_paid_off": 0.9,
        "prediction": "paid_off",
    } | changes
    return {
        name: json.dumps(value) if isinstance(value, dict) else value for name, value in row.items()
    }


def write_rows(log: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Add rows to a log, which is made where it is missing, in one transaction."""
    with closing(sqlite3.connect(log, timeout=10)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(CREATE_PREDICTION_LOG)
        names = list(rows[0])
        connection.executemany(
            f"INSERT INTO predictions ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
            [tuple(row.values()) for row in rows],
        )


def recorded_ids(log: Path) -> list[str]:
    """The ids of all rows, in their order."""
    with closing(sqlite3.connect(log, timeout=10)) as connection:
        found = connection.execute("SELECT prediction_id FROM predictions ORDER BY id")
        return [row[0] for row in found]


def break_log(home: Path) -> None:
    """Make the prediction log no database; nothing may have it open for writing."""
    for path in home.glob(f"{PREDICTION_LOG_FILE}*"):
        path.unlink()  # SQLite would restore the file from its journal
    (home / PREDICTION_LOG_FILE).write_bytes(b"not a database" * 100)
