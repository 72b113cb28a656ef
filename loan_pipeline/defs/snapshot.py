"""The snapshot: one consistent copy of the bank's tables, as Parquet with a manifest."""

import time
from typing import Any

import dagster as dg
from dagster_aws.rds import RDSResource

from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.defs.raw import raw_key
from loan_pipeline.defs.raw_checks import violations_result
from loan_pipeline.defs.resources import BankResource, LakeResource
from loan_pipeline.duckdb_connection import ibis_connection
from loan_pipeline.lake.direct import export_direct
from loan_pipeline.lake.feature_tables import delete_feature_tables
from loan_pipeline.lake.rds.export import RdsExport, export_rds
from loan_pipeline.lake.rds.files import adopt_export
from loan_pipeline.lake.reader import open_snapshot
from loan_pipeline.lake.snapshot import delete_old_snapshots, list_snapshots
from loan_pipeline.quality.snapshots import (
    SnapshotReader,
    damaged_files,
    newest_transaction_problems,
    row_count_problems,
)
from loan_pipeline.quality.tables import find_violations
from loan_pipeline.settings import Settings

GROUP = "lake"


class SnapshotConfig(dg.Config):
    """Which data to copy.

    Attributes:
        adopt: the id of an export that somebody else's RDS task wrote into the lake; it becomes
            the snapshot, and nothing is exported. Empty: export now.
        db_snapshot: an RDS DB snapshot to export in place of a new one.
    """

    adopt: str = ""
    db_snapshot: str = ""


def snapshot_metadata(manifest: SnapshotManifest, seconds: float) -> dict[str, Any]:
    """What the UI shows of a snapshot."""
    lines = ["| table | rows | files | bytes |", "| --- | ---: | ---: | ---: |"]
    for name, table in manifest.tables.items():
        size = sum(file.bytes for file in table.files)
        lines.append(f"| {name} | {table.rows:,} | {len(table.files)} | {size:,} |")
    return {
        "snapshot_id": manifest.snapshot_id,
        "exporter": manifest.exporter,
        "as_of": manifest.as_of.isoformat(),
        "dagster/row_count": sum(table.rows for table in manifest.tables.values()),
        "tables": dg.MetadataValue.md("\n".join(lines)),
        "seconds": round(seconds, 2),
    }


@dg.asset(
    group_name=GROUP,
    deps=[raw_key(table) for table in TABLES],
    kinds={"parquet", "s3"},
)
def snapshot(
    context: dg.AssetExecutionContext,
    config: SnapshotConfig,
    bank: BankResource,
    lake: LakeResource,
    rds: RDSResource,
) -> dg.MaterializeResult[SnapshotManifest]:
    """One consistent copy of the eight tables; all later stages read this and nothing else.

    RDS exports it where LOAN_RDS_INSTANCE is set; elsewhere it is read from the bank directly.
    """
    started = time.monotonic()
    settings, store = Settings(), lake.open()
    if config.adopt:
        manifest = adopt_export(store, config.adopt)
    elif settings.rds_instance:
        request = RdsExport.from_settings(settings, db_snapshot=config.db_snapshot or None)
        tags = {"dagster-run": context.run.run_id}
        with rds.get_rds_client() as client:
            manifest = export_rds(client, store, request, tags=tags)
    else:
        opened = bank.open()
        manifest = export_direct(opened, store, source=opened.filled_from())
    deleted = delete_old_snapshots(store, settings.keep_snapshots)
    for snapshot_id in deleted:
        delete_feature_tables(store, snapshot_id)
    metadata = snapshot_metadata(manifest, time.monotonic() - started)
    return dg.MaterializeResult(value=manifest, metadata=metadata | {"deleted": deleted})


def _result(problems: list[str], good: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=not problems, description="; ".join(problems) or good)


@dg.asset_check(asset=snapshot, blocking=True)
def rows_of_the_bank(snapshot: SnapshotManifest, bank: BankResource) -> dg.AssetCheckResult:
    """As many rows as the bank holds; a warning where others write to the bank meanwhile."""
    problems = row_count_problems(snapshot, bank.open().row_counts())
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.ERROR
        if Settings().bank_managed and snapshot.exporter == "direct"
        else dg.AssetCheckSeverity.WARN,
        description="; ".join(problems) or "Every table has the bank's number of rows.",
    )


@dg.asset_check(asset=snapshot, blocking=True)
def files_are_whole(snapshot: SnapshotManifest, lake: LakeResource) -> dg.AssetCheckResult:
    """Every file has the checksum of the manifest."""
    return _result(damaged_files(lake.open(), snapshot), "Every checksum is the manifest's.")


@dg.asset_check(asset=snapshot, blocking=True)
def contract(snapshot: SnapshotManifest, lake: LakeResource) -> dg.AssetCheckResult:
    """Types, keys, references, codes, ranges and nulls of the copy are as the contract says."""
    with ibis_connection() as connection:
        reader = SnapshotReader(open_snapshot(lake.open(), snapshot, connection))
        found = list(find_violations(reader))
    return violations_result(found)


@dg.asset_check(asset=snapshot, blocking=True)
def newest_transaction(snapshot: SnapshotManifest, lake: LakeResource) -> dg.AssetCheckResult:
    """The newest transaction is where the manifest says, and no older than last time."""
    store = lake.open()
    earlier = [other for other in list_snapshots(store) if other.created_at < snapshot.created_at]
    with ibis_connection() as connection:
        tables = open_snapshot(store, snapshot, connection)
        problems = newest_transaction_problems(snapshot, tables, earlier[0] if earlier else None)
    return _result(problems, f"Known up to the day before {snapshot.as_of}.")


@dg.definitions
def snapshots() -> dg.Definitions:
    """The asset with its checks, and AWS's credentials from the environment."""
    return dg.Definitions(
        assets=[snapshot],
        asset_checks=[rows_of_the_bank, files_are_whole, contract, newest_transaction],
        resources={"rds": RDSResource()},
    )
