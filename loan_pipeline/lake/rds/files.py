"""What an RDS export leaves in the store, verified and published as a snapshot of ours.

It works on the files alone, of any exporter. Asking RDS for an export belongs to `rds`.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from loan_pipeline.contracts.snapshot import SnapshotFile, SnapshotManifest, SnapshotTable
from loan_pipeline.contracts.tables import TABLES, TRANS
from loan_pipeline.duckdb_connection import ibis_connection
from loan_pipeline.lake.arrow_files import arrow_dataset, arrow_path
from loan_pipeline.lake.protocol import Store, StoreKeyMissing
from loan_pipeline.lake.reader import open_snapshot
from loan_pipeline.lake.snapshot import (
    LATEST_KEY,
    ROOT,
    SnapshotError,
    folder_of,
    manifest_key,
    own_id_time,
    publish,
)

logger = logging.getLogger("loan_pipeline.lake")

_REJECTED_FILE = "rejected.json"
_ANY_DAY = date(1900, 1, 1)


@dataclass(frozen=True)
class ForeignExport:
    """A complete export that somebody else made, and that is no snapshot of ours yet."""

    export_id: str
    completed_at: datetime


def foreign_exports(store: Store) -> list[ForeignExport]:
    """Others' exports beside our snapshots that are worth a retraining, the oldest first.

    Those are complete, newer than the latest snapshot, and neither adopted nor rejected before.
    """
    pointer = store.read_pointer(LATEST_KEY)
    newest = datetime.fromisoformat(pointer.value["created_at"]) if pointer else None
    found = []
    for name in store.folders(ROOT):
        if own_id_time(name):
            continue
        try:
            completed_at = store.modified(_info_key(name))
        except StoreKeyMissing:
            continue  # under way, or no export at all
        if newest and completed_at <= newest:
            continue
        if is_complete(store, name) and not is_settled(store, name):
            found.append(ForeignExport(name, completed_at))
    return sorted(found, key=lambda export: export.completed_at)


def is_settled(store: Store, export_id: str) -> bool:
    """Whether the export was adopted or rejected before."""
    return store.exists(manifest_key(export_id)) or store.exists(_rejected_key(export_id))


def is_complete(store: Store, export_id: str) -> bool:
    """Whether RDS's own record in the export's folder says that it is complete."""
    try:
        return str(_export_info(store, export_id).get("status", "")).upper() == "COMPLETE"
    except StoreKeyMissing:
        return False


def adopt_export(store: Store, export_id: str, *, bank: str | None = None) -> SnapshotManifest:
    """Verify a complete export and publish it as a snapshot.

    Args:
        store: the store whose prefix RDS exported into.
        export_id: the export task's identifier, which is the folder's name.
        bank: what was exported, for the manifest; from RDS's record where it is None.

    Raises:
        SnapshotError: a table is missing, skipped or unfinished, or a value does not cast. The
            export is marked as rejected and never adopted again.
    """
    if not is_complete(store, export_id):
        raise SnapshotError(
            f"{store.url}/{folder_of(export_id)} holds no complete RDS export: "
            f"{_info_key(export_id)} is missing or does not say COMPLETE"
        )
    try:
        manifest = _verified(store, export_id, bank)
    except SnapshotError as error:
        store.write(_rejected_key(export_id), json.dumps({"reason": str(error)}).encode())
        raise
    publish(store, manifest)
    return manifest


def _verified(store: Store, export_id: str, bank: str | None) -> SnapshotManifest:
    info = _export_info(store, export_id)
    tables = _tables(store, export_id)
    manifest = SnapshotManifest(
        snapshot_id=export_id,
        created_at=own_id_time(export_id) or store.modified(_info_key(export_id)),
        exporter="rds",
        bank=bank or f"RDS {info.get('sourceArn', 'snapshot')}",
        source=None,
        as_of=_ANY_DAY,
        tables=tables,
    )
    with ibis_connection() as connection:
        opened = open_snapshot(store, manifest, connection)
        newest = opened[TRANS.name][TRANS.newest_by].max().to_pyarrow().as_py()
    if newest is None:
        raise SnapshotError(f"export {export_id}: table {TRANS.name} is empty")
    return manifest.model_copy(update={"as_of": newest + timedelta(days=1)})


def _tables(store: Store, export_id: str) -> dict[str, SnapshotTable]:
    """The files of each table, with the rows that their footers count."""
    folder = folder_of(export_id)
    sizes = store.sizes(folder)
    statuses = _table_statuses(store, export_id, sizes)
    database = _database(export_id, statuses)
    tables = {}
    for table in TABLES:
        status = statuses[database].get(table.name)
        if status != "COMPLETE":
            raise SnapshotError(
                f"export {export_id}: RDS {'skipped' if status is None else 'did not finish'} "
                f"table {database}.{table.name} ({status or 'not in its record'}): read the "
                "export task's warning, fix the cause, and export again"
            )
        prefix = f"{folder}/{database}/{database}.{table.name}/"
        keys = [key for key in sizes if key.startswith(prefix) and key.endswith(".parquet")]
        rows = _rows(store, keys)
        files = tuple(
            SnapshotFile(key=key.removeprefix(f"{folder}/"), rows=rows[key], bytes=sizes[key])
            for key in sorted(keys)
        )
        tables[table.name] = SnapshotTable(rows=sum(rows.values()), files=files)
    return tables


def _rows(store: Store, keys: list[str]) -> dict[str, int]:
    if not keys:  # RDS writes no file for a table without rows
        return {}
    fragments = arrow_dataset(store, keys).get_fragments()
    counts = {str(fragment.path): int(fragment.count_rows()) for fragment in fragments}
    return {key: counts[arrow_path(store, key)] for key in keys}


def _table_statuses(
    store: Store, export_id: str, sizes: Mapping[str, int]
) -> dict[str, dict[str, str]]:
    """RDS's record of each table's status, by database and table."""
    start = f"{folder_of(export_id)}/export_tables_info_{export_id}_from_"
    statuses: dict[str, dict[str, str]] = {}
    for key in sizes:
        if key.startswith(start):
            for entry in _json(store, key).get("perTableStatus", ()):
                database, *_, table = str(entry["target"]).split(".")
                statuses.setdefault(database, {})[table] = str(entry["status"]).upper()
    return statuses


def _database(export_id: str, statuses: Mapping[str, Mapping[str, str]]) -> str:
    """The one database in the export that has the bank's tables."""
    names = {table.name for table in TABLES}
    found = {name: len(names & set(tables)) for name, tables in statuses.items()}
    best = max(found.values(), default=0)
    candidates = [name for name, count in found.items() if count == best and count]
    if len(candidates) != 1:
        raise SnapshotError(
            f"export {export_id}: the bank's tables are in {len(candidates)} databases "
            f"({', '.join(candidates or found) or 'no database at all'}) instead of one; "
            "export the bank's database only"
        )
    return candidates[0]


def _export_info(store: Store, export_id: str) -> dict[str, Any]:
    return _json(store, _info_key(export_id))


def _json(store: Store, key: str) -> dict[str, Any]:
    try:
        value = json.loads(store.read(key))
    except ValueError as error:
        raise SnapshotError(f"{store.url}/{key} is no JSON: export again") from error
    if not isinstance(value, dict):
        raise SnapshotError(f"{store.url}/{key} is no JSON object: export again")
    return value


def _info_key(export_id: str) -> str:
    return f"{folder_of(export_id)}/export_info_{export_id}.json"


def _rejected_key(export_id: str) -> str:
    return f"{folder_of(export_id)}/{_REJECTED_FILE}"
