"""Where features are computed: DuckDB in this process, or Spark where a bank outgrows one machine.

Only the engine is chosen here; what is computed is the same.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
from ibis.backends.duckdb import Backend

from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.tables import TABLES, Table
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.features.builder import FEATURE_TABLES
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.lake.protocol import Store
from loan_pipeline.lake.reader import ibis_type, open_snapshot
from loan_pipeline.lake.s3_store import S3Store
from loan_pipeline.lake.snapshot import folder_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_VIEW = "loan_pipeline_"
# Beyond this, a hundred million transactions, DuckDB spills to disk; with what it does not count,
# the process stays under 4 GB.
_MEMORY = "3.2GB"


class EngineError(LoanPipelineError):
    """The engine that the settings name cannot be had."""


@contextmanager
def feature_batches(
    store: Store, manifest: SnapshotManifest, name: str, spark_master: str | None = None
) -> Iterator[pa.RecordBatchReader]:
    """A feature table of a snapshot, computed while it is read.

    Args:
        store: where the snapshot is.
        manifest: which snapshot it is.
        name: of `builder.FEATURE_TABLES`.
        spark_master: `local[*]`, `spark://host:7077`, `yarn`, …; DuckDB without it.

    Raises:
        SnapshotError: the snapshot is damaged.
        EngineError: Spark is not installed, or does not start.
    """
    build = FEATURE_TABLES[name]
    with duckdb_connection() as connection:
        # Spark too gets only snapshots that were found whole, with values that cast.
        tables = open_snapshot(store, manifest, connection)
        if spark_master is None:
            yield build(tables, manifest.as_of).to_pyarrow_batches()
            return
    with (
        _spark_tables(store, manifest, spark_master) as tables,
        build(tables, manifest.as_of).to_pyarrow_batches() as batches,
    ):
        yield batches


@contextmanager
def snapshot_tables(store: Store, manifest: SnapshotManifest) -> Iterator[dict[str, ibis.Table]]:
    """The snapshot's eight tables on DuckDB, lazy, while the context is open.

    Raises:
        SnapshotError: the snapshot is damaged.
    """
    with duckdb_connection() as connection:
        yield open_snapshot(store, manifest, connection)


@contextmanager
def duckdb_connection() -> Iterator[Backend]:
    """DuckDB in memory, bounded: what does not fit goes to a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="loan-features-") as spill:
        connection = ibis.duckdb.connect(
            memory_limit=_MEMORY, temp_directory=spill, preserve_insertion_order=False
        )
        try:
            yield connection
        finally:
            connection.disconnect()


@contextmanager
def _spark_tables(
    store: Store, manifest: SnapshotManifest, master: str
) -> Iterator[dict[str, ibis.Table]]:
    with _spark(master) as session:
        spark = ibis.pyspark.connect(session)
        for table in TABLES:
            _create_view(store, manifest, table, session)
        yield {table.name: _typed(spark.table(_VIEW + table.name), table) for table in TABLES}


@contextmanager
def _spark(master: str) -> Iterator["SparkSession"]:
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise EngineError(
            "LOAN_SPARK_MASTER is set, but Spark is not installed: "
            "pip install 'loan-pipeline[spark]', or unset it to compute with DuckDB"
        ) from error
    found = SparkSession.getActiveSession()
    try:
        session = SparkSession.builder.master(master).appName("loan-pipeline").getOrCreate()
    except (PySparkException, OSError) as error:
        raise EngineError(
            f"Spark does not start with LOAN_SPARK_MASTER={master} (is Java 17 there?): {error}"
        ) from error
    try:
        yield session
    finally:
        if found is None:  # a notebook's or a cluster's own session lives on
            session.stop()


def _create_view(
    store: Store, manifest: SnapshotManifest, table: Table, session: "SparkSession"
) -> None:
    paths = [
        _spark_path(store, f"{folder_of(manifest.snapshot_id)}/{file.key}")
        for file in manifest.tables[table.name].files
    ]
    if paths:
        frame = session.read.parquet(*paths)
    else:
        frame = session.sql("SELECT " + ", ".join(f"NULL AS `{c.name}`" for c in table.columns))
        frame = frame.limit(0)
    frame.createOrReplaceTempView(_VIEW + table.name)


def _typed(stored: ibis.Table, table: Table) -> ibis.Table:
    return stored.select(**{c.name: stored[c.name].cast(ibis_type(c)) for c in table.columns})


def _spark_path(store: Store, key: str) -> str:
    if isinstance(store, S3Store):
        return f"s3a://{store.bucket}/{store.full_key(key)}"
    if isinstance(store, FolderStore):
        return Path(store.path(key)).as_uri()
    raise EngineError(f"{store.url}: Spark reads snapshots from a folder or from S3")
