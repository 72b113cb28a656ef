"""Writes the sample bank as a snapshot, by way of a bank that is thrown away."""

import tempfile
from pathlib import Path

from loan_pipeline.bank.embedded.database import EmbeddedBank
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.lake.direct import export_direct
from loan_pipeline.lake.open import open_store
from loan_pipeline.sources.sample.source import SampleSource


def write_parquet(source: SampleSource, out: Path) -> SnapshotManifest:
    """Export the bank to the store in the folder `out`, as its latest snapshot.

    Raises:
        StoreError: the folder cannot be written to; the latest snapshot is what it was.
    """
    store = open_store(out.resolve().as_uri())
    with tempfile.TemporaryDirectory(prefix="loan-sample-") as folder:
        bank = EmbeddedBank(Path(folder) / "bank.duckdb")
        bank.fill(source)
        return export_direct(bank, store, source=source.name)
