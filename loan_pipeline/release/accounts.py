"""The bundle's look-up of account features: one indexed SQLite file of the model's numbers."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pandas as pd

from loan_pipeline.contracts.features import Feature
from loan_pipeline.training.inputs import encoded

_ROWS_AT_ONCE = 50_000


def write_accounts(serving: pd.DataFrame, inputs: Sequence[Feature], path: Path) -> int:
    """Write every account's features, codes by their number, nulls as NULL.

    Args:
        serving: one row per account, as `serving_features` makes them.
        inputs: the model's; those of origin "account" are kept.
        path: the file to make.

    Returns:
        The number of accounts.

    Raises:
        UnsuitableLoans: a feature is missing or holds no numbers.
    """
    features = [feature for feature in inputs if feature.origin == "account"]
    columns = ", ".join(f'"{feature.name}" REAL' for feature in features)
    places = ", ".join("?" * (len(features) + 1))
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = OFF")  # the file is new: nothing to restore
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(
            f"CREATE TABLE account_features (account_id INTEGER PRIMARY KEY, {columns})"
        )
        insert = f"INSERT INTO account_features VALUES ({places})"  # noqa: S608  only places
        ordered = serving.sort_values("account_id")
        for start in range(0, len(ordered), _ROWS_AT_ONCE):
            part = ordered.iloc[start : start + _ROWS_AT_ONCE]
            connection.executemany(insert, _rows(part, features))
    return len(serving)


def _rows(part: pd.DataFrame, features: list[Feature]) -> Iterator[tuple[float | int | None, ...]]:
    columns: list[list[float | int | None]] = [[int(key) for key in part["account_id"]]]
    for feature in features:
        numbers = encoded(part, feature).tolist()
        columns.append([None if number != number else number for number in numbers])
    return zip(*columns, strict=True)
