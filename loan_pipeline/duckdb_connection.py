"""Every DuckDB connection: bounded in memory, with a folder of its own for what does not fit.

Who opens one says how much it may use; what is alive at the same time must stay below 4 GB.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
    from ibis.backends.duckdb import Backend

# Checks and copies of a hundred million rows; they stream, and sort or group little.
STREAMING_GB = 1.0
# Features of a hundred million transactions.
COMPUTING_GB = 2.6


@contextmanager
def duckdb_connection(
    path: Path | None = None,
    *,
    gigabytes: float = STREAMING_GB,
    read_only: bool = False,
    threads: int | None = None,
    keeps_order: bool = True,
) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A connection to a DuckDB file, or to memory, closed at the end.

    Args:
        path: the file; None for a database in memory.
        gigabytes: what DuckDB may hold in memory; the rest is spilled to a temporary folder.
        read_only: open the file for reading.
        threads: at most so many; None for one a processor.
        keeps_order: rows come in the order they were stored, for which DuckDB holds more of them.

    Raises:
        duckdb.Error: the file cannot be opened.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix="loan-duckdb-") as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{gigabytes}GB",
            "temp_directory": spill,
            "preserve_insertion_order": keeps_order,
        }
        if threads is not None:
            config["threads"] = threads
        with duckdb.connect(path or ":memory:", read_only=read_only, config=config) as connection:
            connection.execute("SET enable_progress_bar = false")  # runs show one of their own
            yield connection


@contextmanager
def ibis_connection(
    *, gigabytes: float = STREAMING_GB, keeps_order: bool = True
) -> "Iterator[Backend]":
    """As `duckdb_connection` in memory, as Ibis's backend."""
    import ibis

    with duckdb_connection(gigabytes=gigabytes, keeps_order=keeps_order) as connection:
        yield ibis.duckdb.from_connection(connection)


def count_keys_out_of_order(key: str, table: str) -> str:
    """SQL for the number of keys that are empty or not above the one before them.

    Args:
        key: the column, of the contract.
        table: its table as SQL names it.
    """
    return (
        f'SELECT COUNT(*) FROM (SELECT "{key}" AS k, LAG("{key}") OVER () AS before, '  # noqa: S608
        f"ROW_NUMBER() OVER () AS n FROM {table}) "
        "WHERE k IS NULL OR (n > 1 AND (before IS NULL OR k <= before))"
    )
