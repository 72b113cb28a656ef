"""What a snapshot must satisfy before anything is built on it, as plain functions.

Each answers a list of problems in words, empty where there are none. The contract's rules on rows
live with the bank; `SnapshotReader` lets them be asked of a snapshot as well.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import ibis
import pyarrow as pa

from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.table_reader import count_keys_out_of_order
from loan_pipeline.contracts.tables import TRANS, Table
from loan_pipeline.lake.protocol import Store
from loan_pipeline.lake.reader import quoted
from loan_pipeline.lake.snapshot import folder_of


def row_count_problems(manifest: SnapshotManifest, bank_rows: Mapping[str, int]) -> list[str]:
    """Tables whose rows in the snapshot are not as many as in the bank.

    Args:
        manifest: the snapshot.
        bank_rows: rows by table, counted in the bank. A bank that is written meanwhile holds
            others than the snapshot, so this is an error only where we alone fill the bank.
    """
    problems = []
    for name, count in bank_rows.items():
        table = manifest.tables.get(name)
        if table is None:
            problems.append(f"{name}: not in the snapshot, {count:,} rows in the bank")
        elif table.rows != count:
            problems.append(f"{name}: {table.rows:,} rows in the snapshot, {count:,} in the bank")
    return problems


def newest_transaction_problems(
    manifest: SnapshotManifest,
    tables: Mapping[str, ibis.Table],
    previous: SnapshotManifest | None = None,
) -> list[str]:
    """Whether the newest transaction is where the manifest says, and no step back in time.

    Args:
        manifest: the snapshot.
        tables: its tables, opened.
        previous: the snapshot before it, where there is one.
    """
    newest = tables[TRANS.name][TRANS.newest_by].max().to_pyarrow().as_py()
    if newest is None:
        return [f"{TRANS.name}: there are no transactions"]
    problems = []
    if newest + timedelta(days=1) != manifest.as_of:
        problems.append(
            f"{TRANS.name}: the newest is of {newest}, but the manifest is as of {manifest.as_of}"
        )
    if newest > (manifest.created_at + timedelta(days=1)).date():
        problems.append(f"{TRANS.name}: the newest is of {newest}, after the export itself")
    same = previous and (previous.bank, previous.source) == (manifest.bank, manifest.source)
    if previous and same and manifest.as_of < previous.as_of:
        problems.append(
            f"{TRANS.name}: the newest is of {newest}, but snapshot {previous.snapshot_id} of the "
            f"same bank already knew the day before {previous.as_of}"
        )
    return problems


def damaged_files(store: Store, manifest: SnapshotManifest) -> list[str]:
    """Files whose contents are not what the manifest's checksum says; RDS tells no checksums."""
    problems = []
    for table in manifest.tables.values():
        for file in table.files:
            key = f"{folder_of(manifest.snapshot_id)}/{file.key}"
            if file.sha256 and hashlib.sha256(store.read(key)).hexdigest() != file.sha256:
                problems.append(f"{store.url}/{key}: the contents have changed since the export")
    return problems


class SnapshotReader:
    """A snapshot's tables asked in SQL, with the methods of a reader of the embedded bank.

    Args:
        tables: the tables as `open_snapshot` gives them.
    """

    def __init__(self, tables: Mapping[str, ibis.Table]) -> None:
        self._tables = tables
        self._connection = next(iter(tables.values())).get_backend().con

    def batches(self, table: Table) -> pa.RecordBatchReader:
        """The table's rows in the order of their key, streamed."""
        return self._tables[table.name].order_by(table.primary_key).to_pyarrow_batches()

    def row_count(self, table: Table) -> int:
        """How many rows the table has."""
        return int(self._tables[table.name].count().to_pyarrow().as_py())

    def rows(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """The answer to a query that gives few rows."""
        rows: Sequence[tuple[Any, ...]] = self._connection.execute(sql).fetchall()
        return rows

    def exact(self, expression: str) -> str:
        """DuckDB compares letter by letter as it is."""
        return expression

    def sql_name(self, table: Table) -> str:
        """The table's name in SQL."""
        return quoted(self._tables[table.name].get_name())

    def keys_are_unique(self, table: Table) -> bool:
        """Keys that ascend in whatever order the rows are read are unique; it takes no memory."""
        [(others,)] = self.rows(count_keys_out_of_order(table, self.sql_name(table)))
        return int(others) == 0

    def columns(self, table: Table) -> Mapping[str, str]:
        """The type of each column, in capitals."""
        described = self._connection.execute(f"DESCRIBE {self.sql_name(table)}").fetchall()
        return {str(row[0]): str(row[1]) for row in described}
