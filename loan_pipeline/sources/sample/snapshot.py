"""Writes the sample bank as a snapshot, without a database in between."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from loan_pipeline.bank.arrow import arrow_schema
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.tables import Table
from loan_pipeline.lake.direct import export_direct
from loan_pipeline.lake.open import open_store
from loan_pipeline.sources.sample.source import SampleSource


def write_parquet(source: SampleSource, out: Path) -> SnapshotManifest:
    """Export the bank to the store in the folder `out`, as its latest snapshot.

    Raises:
        StoreError: the folder cannot be written to; the latest snapshot is what it was.
    """
    return export_direct(_Exported(source), open_store(out.resolve().as_uri()), source=source.name)


class _Exported:
    """The source as what the export reads from; it is consistent because it never changes."""

    def __init__(self, source: SampleSource) -> None:
        self.name = source.name
        self._source = source

    @contextmanager
    def reading(self) -> Iterator["_Exported"]:
        yield self

    def batches(self, table: Table) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(arrow_schema(table), self._source.batches(table))

    def row_count(self, table: Table) -> int:
        return self._source.row_count(table)
