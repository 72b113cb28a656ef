"""Feature tables in the store: one Parquet file each, in the folder of the snapshot behind them.

A table is identified by the hash of its file, and read only while that is what is stored. The rules
on its rows belong to `quality`.
"""

import hashlib
import io
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from loan_pipeline.code_revision import code_revision
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.lake.protocol import Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class FeatureTableReplaced(LoanPipelineError):
    """The stored table is not the one that a record names."""


class FeatureTable(BaseModel):
    """Where a feature table is, and what it was made from.

    Attributes:
        table_id: the SHA-256 of its file.
        as_of: up to when the snapshot knows the accounts, exclusive.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    table_id: str
    snapshot_id: str
    code_revision: str | None
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

    key = feature_table_key(manifest.snapshot_id, name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.parquet"
        with pq.ParquetWriter(path, batches.schema) as file:
            for batch in batches:
                file.write_batch(batch)
        rows = pq.read_metadata(path).num_rows
        with path.open("rb") as written:
            table_id = hashlib.file_digest(written, "sha256").hexdigest()
        store.upload(path, key)
    return FeatureTable(
        name=name,
        table_id=table_id,
        code_revision=code_revision(),
        snapshot_id=manifest.snapshot_id,
        as_of=manifest.as_of,
        key=key,
        rows=rows,
        columns=tuple(batches.schema.names),
    )


def read_feature_table(
    store: Store, table: FeatureTable, columns: list[str] | None = None
) -> "pd.DataFrame":
    """The table's rows, `columns` alone where they are named; dates as `datetime64`.

    Raises:
        FeatureTableReplaced: it was built again since, or changed.
        StoreKeyMissing: it was deleted with its snapshot.
    """
    data = store.read(table.key)
    if hashlib.sha256(data).hexdigest() != table.table_id:
        raise FeatureTableReplaced(
            f"{store.url}/{table.key} is not table {table.table_id[:12]} any more: it was built "
            f"again or changed; materialise {table.name} and what is made from it again"
        )
    return _parsed(data, columns)


def read_table_of_snapshot(store: Store, name: str, snapshot_id: str) -> "pd.DataFrame | None":
    """The rows of the table `name` that was built from a snapshot; None where none is kept."""
    key = feature_table_key(snapshot_id, name)
    return _parsed(store.read(key), None) if store.exists(key) else None


def delete_feature_tables(store: Store, snapshot_id: str) -> None:
    """Delete what was built from a snapshot that is gone."""
    store.delete(_folder(snapshot_id))


def feature_table_key(snapshot_id: str, name: str, ending: str = "parquet") -> str:
    """Where a table is, or with another ending what belongs to it."""
    return f"{_folder(snapshot_id)}/{name}.{ending}"


def _folder(snapshot_id: str) -> str:
    return f"features/{snapshot_id}"


def _parsed(data: bytes, columns: list[str] | None) -> "pd.DataFrame":
    import pyarrow.parquet as pq

    # `read_table` leaves the file to threads of its own, which abort a process that ends meanwhile.
    with pq.ParquetFile(io.BytesIO(data)) as file:
        read = file.read(columns, use_threads=False)
    rows: pd.DataFrame = read.to_pandas(date_as_object=False)
    return rows
