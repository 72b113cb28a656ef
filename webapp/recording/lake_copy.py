"""Copies the prediction log to the lake, where processes freeze and disks do not last.

`predictions/<day>/<first prediction's id>.jsonl`: one JSON object a row, columns by their name.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import orjson

PREFIX = "predictions"
_NEW = "SELECT * FROM predictions WHERE id > ? ORDER BY id"


class Writable(Protocol):
    """What is needed of the lake's store."""

    def write(self, key: str, data: bytes) -> None:
        """Store `data` under `key`, whole or not at all."""


class LakeCopy:
    """Follows one prediction log.

    What was written before a process ended may be written again by the next one: readers know rows
    apart by `prediction_id`.

    Args:
        log: the log's SQLite file.
        store: the lake.
    """

    def __init__(self, log: Path, store: Writable) -> None:
        self._log = log
        self._store = store
        self._last = 0

    def write_new(self) -> int:
        """Write the rows that came since the last call as one object; returns how many.

        Raises:
            StoreError: the lake refused; the rows are tried again with the next call.
            sqlite3.Error: the log cannot be read.
        """
        rows = self._new_rows()
        if rows:
            day = datetime.now(UTC).date().isoformat()
            key = f"{PREFIX}/{day}/{rows[0]['prediction_id']}.jsonl"
            self._store.write(key, b"".join(orjson.dumps(row) + b"\n" for row in rows))
            self._last = int(rows[-1]["id"])
        return len(rows)

    def _new_rows(self) -> list[dict[str, int | float | str]]:
        if not self._log.exists():  # nothing was answered yet
            return []
        with closing(sqlite3.connect(f"{self._log.as_uri()}?mode=ro", uri=True, timeout=2)) as db:
            found = db.execute(_NEW, (self._last,))
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found]
