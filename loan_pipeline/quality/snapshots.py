"""What a snapshot must satisfy before anything is built on it, as plain functions.

The contract's rules on rows are those of `tables`; `SnapshotReader` lets them be asked of a
snapshot as well. Where the verdict is kept belongs to `verdicts`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import ibis
import pyarrow as pa

from loan_pipeline.code_revision import code_revision
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.tables import TRANS, Table
from loan_pipeline.contracts.verdict import Check, Problem, SnapshotVerdict
from loan_pipeline.duckdb_connection import count_keys_out_of_order, ibis_connection
from loan_pipeline.lake.protocol import Store
from loan_pipeline.lake.reader import open_snapshot, quoted
from loan_pipeline.lake.snapshot import folder_of, list_snapshots
from loan_pipeline.quality.tables import find_violations
from loan_pipeline.quality.violation import Violation

CHECKS = {
    "rows_of_the_bank": "As many rows as the bank holds; a warning where others write to the bank.",
    "files_are_whole": "Every file has the checksum of the manifest.",
    "contract": "Types, keys, references, codes, ranges and nulls are as the contract says.",
    "newest_transaction": "It is where the manifest says, and no older than last time.",
}


def snapshot_verdict(
    store: Store, manifest: SnapshotManifest, bank_rows: Mapping[str, int], *, alone: bool
) -> SnapshotVerdict:
    """Evaluate every rule about a snapshot.

    Args:
        store: where it is.
        manifest: which one it is.
        bank_rows: rows by table, counted in the bank after the export.
        alone: whether only this pipeline writes to the bank, so that other counts are errors.
    """
    previous = [one for one in list_snapshots(store) if one.created_at < manifest.created_at]
    checks = [
        Check.of_problems(
            "rows_of_the_bank",
            tuple(row_count_problems(manifest, bank_rows)),
            "Every table has the bank's number of rows.",
            blocking=alone,
        ),
        Check.of_problems(
            "files_are_whole",
            tuple(damaged_files(store, manifest)),
            "Every checksum is the manifest's.",
        ),
    ]
    with ibis_connection() as connection:
        tables = open_snapshot(store, manifest, connection)
        found = list(find_violations(SnapshotReader(tables)))
        newest = newest_transaction_problems(manifest, tables, previous[0] if previous else None)
    checks += [
        contract_check(found),
        Check.of_problems(
            "newest_transaction", tuple(newest), f"Known up to the day before {manifest.as_of}."
        ),
    ]
    return SnapshotVerdict(
        snapshot_id=manifest.snapshot_id, checks=tuple(checks), code_revision=code_revision()
    )


def contract_check(found: Sequence[Violation]) -> Check:
    """The check `contract`: it blocks where one violation does, and warns of those that do not."""
    return Check.of_problems(
        "contract",
        tuple(
            Problem(
                place=f"{one.table}.{one.column}",
                text=str(one).removeprefix(f"{one.table}.{one.column} "),
                rows=one.count,
            )
            for one in found
        ),
        "Every rule of the contract holds.",
        blocking=any(one.blocking for one in found) or not found,
    )


def row_count_problems(manifest: SnapshotManifest, bank_rows: Mapping[str, int]) -> list[Problem]:
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
            problems.append(
                Problem(place=name, text=f"is not in the snapshot, {count:,} rows in the bank")
            )
        elif table.rows != count:
            text = f"has {table.rows:,} rows in the snapshot, {count:,} in the bank"
            problems.append(Problem(place=name, text=text, rows=abs(table.rows - count)))
    return problems


def newest_transaction_problems(
    manifest: SnapshotManifest,
    tables: Mapping[str, ibis.Table],
    previous: SnapshotManifest | None = None,
) -> list[Problem]:
    """Whether the newest transaction is where the manifest says, and no step back in time.

    Args:
        manifest: the snapshot.
        tables: its tables, opened.
        previous: the snapshot before it, where there is one.
    """
    newest = tables[TRANS.name][TRANS.newest_by].max().to_pyarrow().as_py()
    if newest is None:
        return [Problem(place=TRANS.name, text="has no rows")]
    says = []
    if newest + timedelta(days=1) != manifest.as_of:
        says.append(f"but the manifest is as of {manifest.as_of}")
    if newest > (manifest.created_at + timedelta(days=1)).date():
        says.append("after the export itself")
    same = previous and (previous.bank, previous.source) == (manifest.bank, manifest.source)
    if previous and same and manifest.as_of < previous.as_of:
        says.append(
            f"but snapshot {previous.snapshot_id} of the same bank already knew the day before "
            f"{previous.as_of}"
        )
    place = f"{TRANS.name}.{TRANS.newest_by}"
    return [Problem(place=place, text=f"is {newest} at the newest, {text}") for text in says]


def damaged_files(store: Store, manifest: SnapshotManifest) -> list[Problem]:
    """Files whose contents are not what the manifest's checksum says; RDS gives no checksums."""
    problems = []
    for table in manifest.tables.values():
        for file in table.files:
            key = f"{folder_of(manifest.snapshot_id)}/{file.key}"
            if file.sha256 and _sha256(store, key) != file.sha256:
                text = "has changed since the export"
                problems.append(Problem(place=f"{store.url}/{key}", text=text, rows=file.rows))
    return problems


def _sha256(store: Store, key: str) -> str:
    return hashlib.sha256(store.read(key)).hexdigest()


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
        [(others,)] = self.rows(count_keys_out_of_order(table.primary_key, self.sql_name(table)))
        return int(others) == 0

    def columns(self, table: Table) -> Mapping[str, str]:
        """The type of each column, in capitals."""
        described = self._connection.execute(f"DESCRIBE {self.sql_name(table)}").fetchall()
        return {str(row[0]): str(row[1]) for row in described}
