"""The SQL that is printed for auditors computes what the pipeline computes."""

from datetime import date
from pathlib import Path

import pytest

from loan_pipeline.duckdb_connection import ibis_connection
from loan_pipeline.features.builder import FEATURE_TABLES
from loan_pipeline.features.engine import feature_batches, snapshot_tables
from loan_pipeline.features.sql import sql_of
from loan_pipeline.lake.open import open_store
from loan_pipeline.sources.sample import SampleSource
from loan_pipeline.sources.sample.snapshot import write_parquet


@pytest.mark.slow
@pytest.mark.parametrize("name", FEATURE_TABLES)
@pytest.mark.parametrize("as_of", [None, date(1996, 7, 1)], ids=["of the snapshot", "earlier"])
def test_the_printed_sql_computes_what_the_pipeline_computes(
    name: str, as_of: date | None, tmp_path: Path
) -> None:
    manifest = write_parquet(SampleSource(0.05, 6), tmp_path)
    known = manifest.model_copy(update={"as_of": as_of or manifest.as_of})
    store = open_store(tmp_path.as_uri())
    key = "loan_id" if name == "loan_features" else "account_id"
    with feature_batches(store, known, name) as batches:
        computed = batches.read_all().sort_by(key)
    with snapshot_tables(store, known) as tables, ibis_connection() as auditor:
        for table, rows in tables.items():
            auditor.con.register(table, rows.to_pyarrow())
        audited = auditor.con.sql(sql_of(name, known.as_of)).to_arrow_table().sort_by(key)
    assert computed.num_rows > 0
    assert audited.equals(computed)
