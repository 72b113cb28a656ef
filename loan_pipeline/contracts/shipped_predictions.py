"""The prediction log in the lake: objects that the web apps add and monitoring reads.

    predictions/<day>/<time>-<prediction_id>.jsonl.gz

One JSON object a line, by the log's column names, of answers given on that day (UTC); time and
`prediction_id` are the first line's. An object never changes: shipping it again writes the same
bytes under the same name. Readers still count each `prediction_id` once.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

SHIPPED_PREDICTIONS = "predictions"
_ENDING = ".jsonl.gz"
# What stays in the app: the row number of one log file, and what ties answers to a browser.
NOT_SHIPPED = frozenset({"id", "visitor"})


def shipped_folder(day: date) -> str:
    """The folder of a day's objects."""
    return f"{SHIPPED_PREDICTIONS}/{day.isoformat()}"


def shipped_name(time: datetime) -> str:
    """How the names of objects begin whose first row was answered at that time (UTC)."""
    return f"{time:%Y%m%dT%H%M%S%f}"


def shipped_key(answered_at: str, prediction_id: str) -> str:
    """The key of the object that starts with this row.

    Args:
        answered_at: ISO 8601, UTC.
        prediction_id: the row's own id, unique among all logs.
    """
    time = datetime.fromisoformat(answered_at)
    return f"{shipped_folder(time.date())}/{shipped_name(time)}-{prediction_id}{_ENDING}"


def packed_rows(rows: Sequence[Mapping[str, object]]) -> bytes:
    """The object of these rows; the same rows always give the same bytes."""
    lines = [
        json.dumps({name: row[name] for name in sorted(row) if name not in NOT_SHIPPED}) + "\n"
        for row in rows
    ]
    return gzip.compress("".join(lines).encode(), mtime=0)


def unpacked_rows(data: bytes) -> list[dict[str, Any]]:
    """The rows of an object.

    Raises:
        ValueError: it is no such object.
    """
    try:
        return [json.loads(line) for line in gzip.decompress(data).splitlines()]
    except (OSError, EOFError) as error:
        raise ValueError(f"no gzip file of JSON lines: {error}") from error
