"""The snapshot: one consistent copy of the bank's tables, and the verdict on it."""

import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.defs.checks import check_results, check_specs
from loan_pipeline.defs.keys import GROUPS
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.defs.raw import BANK, POOL, RAW_KEYS
from loan_pipeline.defs.resources import BankResource, RdsResource
from loan_pipeline.lake.direct import export_direct
from loan_pipeline.lake.feature_tables import delete_feature_tables
from loan_pipeline.lake.protocol import Store
from loan_pipeline.lake.rds.export import export_rds
from loan_pipeline.lake.rds.files import adopt_export
from loan_pipeline.lake.snapshot import delete_old_snapshots
from loan_pipeline.quality.snapshots import CHECKS, snapshot_verdict
from loan_pipeline.quality.verdicts import write_snapshot_verdict

SNAPSHOT = dg.AssetKey("snapshot")


class SnapshotConfig(dg.Config):
    """Which data to copy."""

    adopt: str = Field(
        default="",
        description="The id of an export that another system's RDS task wrote into the lake: it "
        "becomes the snapshot, and nothing is exported. Empty: export now.",
    )
    db_snapshot: str = Field(
        default="", description="An RDS DB snapshot to export in place of a new one."
    )


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


def _export(
    store: Store, bank: BankResource, rds: RdsResource, config: SnapshotConfig, run_id: str
) -> SnapshotManifest:
    if config.adopt:
        return adopt_export(store, config.adopt)
    request = bank.rds_export(config.db_snapshot or None)
    if request is None:
        opened = bank.open()
        return export_direct(opened, store, source=opened.filled_from())
    with rds.client() as client:
        return export_rds(client, store, request, tags={"dagster-run": run_id})


@dg.asset(
    key=SNAPSHOT,
    group_name=GROUPS["lake"],
    pool=POOL,
    deps=[BANK, *RAW_KEYS],
    kinds={"parquet", "store"},
    check_specs=check_specs(SNAPSHOT, CHECKS),
)
def snapshot(
    context: dg.AssetExecutionContext,
    config: SnapshotConfig,
    bank: BankResource,
    lake: LakeResource,
    rds: RdsResource,
) -> Iterator[dg.MaterializeResult[SnapshotManifest]]:
    """One consistent copy of the eight tables; all later stages read this and nothing else.

    RDS exports it where LOAN_RDS_INSTANCE is set; elsewhere it is read from the bank directly. Its
    rules are evaluated in the same step, and kept beside it: features demand that they passed.
    """
    started, store = time.monotonic(), lake.open()
    manifest = _export(store, bank, rds, config, context.run.run_id)
    verdict = snapshot_verdict(
        store,
        manifest,
        bank.open().row_counts(),
        alone=bank.managed and manifest.exporter == "direct",
    )
    write_snapshot_verdict(store, verdict)
    deleted = delete_old_snapshots(store, lake.keep_snapshots)
    for snapshot_id in deleted:
        delete_feature_tables(store, snapshot_id)
    metadata = snapshot_metadata(manifest, time.monotonic() - started)
    yield dg.MaterializeResult(
        value=manifest,
        metadata=metadata | {"deleted": deleted},
        check_results=check_results(SNAPSHOT, verdict.checks),
    )


def snapshots() -> dg.Definitions:
    """The asset."""
    return dg.Definitions(assets=[snapshot])
