"""The shipped prediction logs as one table. A finished day is kept as one Parquet file.

    monitoring/predictions/<day>.parquet    made from the day's objects, and again when one is added

What the objects look like is `contracts.shipped_predictions`.
"""

import io
import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from loan_pipeline.contracts.shipped_predictions import (
    SHIPPED_PREDICTIONS,
    shipped_folder,
    shipped_name,
    unpacked_rows,
)
from loan_pipeline.lake.protocol import Store
from loan_pipeline.monitoring.errors import MonitoringError

_TYPES = {
    "prediction_id": "string",
    "milliseconds": "float64",
    "line": "Int64",
    "source": "string",
    "feature_set": "string",
    "model_version": "string",
    "account_id": "Int64",
    "inputs": "string",
    "features": "string",
    "probability_paid_off": "float64",
    "prediction": "string",
    "referred": "int64",
}
_DEFAULTS = {"referred": 0}  # of columns that objects of earlier apps lack
_OBJECT = "object"  # the column that says which object a row came from
# A day's last objects arrive after its end; until then it is read from its objects.
_SETTLES = timedelta(days=2)
_LONGEST_OBJECT = timedelta(hours=1)


def read_predictions(store: Store, since: date, today: date) -> pd.DataFrame:
    """Every answer given since a day, oldest first, each once.

    Args:
        store: the lake.
        since: the first day, in UTC.
        today: the current day, in UTC.

    Returns:
        One row per answer: the log's columns, `answered_at` as a point in time with time zone,
        `inputs` and `features` as JSON texts.

    Raises:
        MonitoringError: an object cannot be read.
    """
    days = [day for day in map(_parsed_day, store.folders(SHIPPED_PREDICTIONS)) if day]
    parts = [_of_day(store, day, today) for day in sorted(days) if day >= since]
    rows = pd.concat(parts) if parts else _table([])
    rows = rows.drop_duplicates("prediction_id").drop(columns=_OBJECT)
    return rows.sort_values(["answered_at", "prediction_id"], ignore_index=True)


def recent_predictions(store: Store, since: datetime) -> pd.DataFrame:
    """Answers of the last minutes or hours, from the objects that can hold them.

    Args:
        store: the lake.
        since: a point in time with time zone.

    Returns:
        As of `read_predictions`.

    Raises:
        MonitoringError: an object cannot be read.
    """
    # An object's first row may be older than its last by as long as a store was away.
    first = shipped_name(since - _LONGEST_OBJECT)
    days = [day for day in map(_parsed_day, store.folders(SHIPPED_PREDICTIONS)) if day]
    keys = [
        key
        for day in days
        if day >= (since - _LONGEST_OBJECT).date()
        for key in store.list(shipped_folder(day))
        if key.rpartition("/")[2] >= first
    ]
    rows = pd.concat([_read_object(store, key) for key in keys]) if keys else _table([])
    rows = rows[rows["answered_at"] >= since].drop_duplicates("prediction_id")
    return rows.drop(columns=_OBJECT).sort_values("answered_at", ignore_index=True)


def numbers_of(column: pd.Series) -> pd.DataFrame:
    """The numbers in a column of JSON objects, by name; missing ones as NaN."""
    records = [json.loads(text) for text in column]
    values = pd.DataFrame(records, index=column.index)
    numbers: pd.DataFrame = values.apply(pd.to_numeric, errors="coerce")
    return numbers


def _of_day(store: Store, day: date, today: date) -> pd.DataFrame:
    kept_key = f"monitoring/predictions/{day.isoformat()}.parquet"
    objects = store.list(shipped_folder(day))
    kept = _read_parquet(store.read(kept_key)) if store.exists(kept_key) else _table([])
    known = set(kept[_OBJECT].unique())
    added = [key for key in objects if key not in known]
    if not added:
        return kept
    parts = [_read_object(store, key) for key in added]
    rows = pd.concat([kept, *parts] if known else parts)
    if today - day >= _SETTLES:
        buffer = io.BytesIO()
        rows.to_parquet(buffer, index=False)
        store.write(kept_key, buffer.getvalue())
    return rows


def _read_object(store: Store, key: str) -> pd.DataFrame:
    try:
        rows = unpacked_rows(store.read(key))
        return _table([_DEFAULTS | row | {_OBJECT: key} for row in rows])
    except (ValueError, KeyError, TypeError) as error:
        raise MonitoringError(
            f"{store.url}/{key} does not hold rows of the prediction log ({error}): no web app "
            "writes such an object; see who did, and move it out of the folder"
        ) from error


def _table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    columns = ["answered_at", *_TYPES, _OBJECT]
    if rows and (missing := set(columns) - rows[0].keys()):
        raise ValueError(f"no {', '.join(sorted(missing))}")
    frame = pd.DataFrame.from_records(rows, columns=columns)
    times = pd.to_datetime(frame["answered_at"], format="ISO8601", utc=True)
    return frame.assign(answered_at=times.astype("datetime64[us, UTC]")).astype(
        _TYPES | {_OBJECT: "string"}
    )


def _read_parquet(data: bytes) -> pd.DataFrame:
    import pyarrow.parquet as pq

    # As in `lake.feature_tables`: no threads of Arrow's own.
    with pq.ParquetFile(io.BytesIO(data)) as file:
        frame: pd.DataFrame = file.read(use_threads=False).to_pandas()
    return frame.astype(_TYPES | {_OBJECT: "string"})


def _parsed_day(name: str) -> date | None:
    try:
        return date.fromisoformat(name)
    except ValueError:
        return None
