"""The snapshot: one consistent copy of the bank's tables, as Parquet with a manifest."""

import time

import dagster as dg

from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.defs.raw import raw_key
from loan_pipeline.defs.resources import BankResource, LakeResource
from loan_pipeline.lake.direct import export_direct

GROUP = "lake"


def snapshot_metadata(
    manifest: SnapshotManifest, seconds: float
) -> dict[str, dg.MetadataValue | str | int | float]:
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
def snapshot(bank: BankResource, lake: LakeResource) -> dg.MaterializeResult[SnapshotManifest]:
    """One consistent copy of the eight tables; all later stages read this and nothing else."""
    started = time.monotonic()
    opened = bank.open()
    manifest = export_direct(opened, lake.open(), source=opened.filled_from())
    return dg.MaterializeResult(
        value=manifest, metadata=snapshot_metadata(manifest, time.monotonic() - started)
    )
