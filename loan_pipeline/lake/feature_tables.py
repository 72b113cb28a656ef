"""Feature tables in the store: one Parquet file each, beside the snapshot they were built from."""

import io
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.lake.protocol import Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class FeatureTable(BaseModel):
    """Where a feature table is, and which snapshot it was built from."""

    model_config = ConfigDict(frozen=True)

    snapshot_id: str
    as_of: date
    key: str
    rows: int
    columns: tuple[str, ...]


def write_feature_table(
    store: Store, name: str, manifest: SnapshotManifest, batches: "pa.RecordBatchReader"
) -> FeatureTable:
    """Keep the rows of a table as `name`, as they come.

    The file appears in the store in one piece: an interrupted build leaves nothing half-written.
    """
    import pyarrow.parquet as pq

    key = f"{_folder(manifest.snapshot_id)}/{name}.parquet"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.parquet"
        with pq.ParquetWriter(path, batches.schema) as file:
            for batch in batches:
                file.write_batch(batch)
        rows = pq.read_metadata(path).num_rows
        store.upload(path, key)
    return FeatureTable(
        snapshot_id=manifest.snapshot_id,
        as_of=manifest.as_of,
        key=key,
        rows=rows,
        columns=tuple(batches.schema.names),
    )


def read_feature_table(
    store: Store, table: FeatureTable, columns: list[str] | None = None
) -> "pd.DataFrame":
    """The table's rows, `columns` alone where they are named; dates as `datetime64`."""
    return _read(store, table.key, columns)


def read_table_of_snapshot(store: Store, name: str, snapshot_id: str) -> "pd.DataFrame | None":
    """The rows of the table `name` that was built from a snapshot; None where none is kept."""
    key = f"{_folder(snapshot_id)}/{name}.parquet"
    return _read(store, key, None) if store.exists(key) else None


def delete_feature_tables(store: Store, snapshot_id: str) -> None:
    """Delete what was built from a snapshot that is gone."""
    store.delete(_folder(snapshot_id))


def _folder(snapshot_id: str) -> str:
    return f"features/{snapshot_id}"


def _read(store: Store, key: str, columns: list[str] | None) -> "pd.DataFrame":
    import pyarrow.parquet as pq

    # `read_table` leaves the file to threads of its own, which abort a process that ends meanwhile.
    with pq.ParquetFile(io.BytesIO(store.read(key))) as file:
        read = file.read(columns, use_threads=False)
    rows: pd.DataFrame = read.to_pandas(date_as_object=False)
    return rows
