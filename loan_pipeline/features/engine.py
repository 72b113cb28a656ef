"""Where features are computed: DuckDB in this process, or Spark where a bank outgrows one machine.

Only the engine is chosen here; what is computed is the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import ibis
import pyarrow as pa

from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.duckdb_connection import COMPUTING_GB, ibis_connection
from loan_pipeline.features.builder import FEATURE_TABLES
from loan_pipeline.features.spark import spark_batches
from loan_pipeline.lake.protocol import Store
from loan_pipeline.lake.reader import open_snapshot


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
    with ibis_connection(gigabytes=COMPUTING_GB, keeps_order=False) as connection:
        # Spark too gets only snapshots that were found whole, with values that cast.
        tables = open_snapshot(store, manifest, connection)
        if spark_master is None:
            yield FEATURE_TABLES[name](tables, manifest.as_of).to_pyarrow_batches()
            return
    with spark_batches(store, manifest, name, spark_master) as batches:
        yield batches


@contextmanager
def snapshot_tables(store: Store, manifest: SnapshotManifest) -> Iterator[dict[str, ibis.Table]]:
    """The snapshot's eight tables on DuckDB, lazy, while the context is open.

    Raises:
        SnapshotError: the snapshot is damaged.
    """
    with ibis_connection(gigabytes=COMPUTING_GB, keeps_order=False) as connection:
        yield open_snapshot(store, manifest, connection)
