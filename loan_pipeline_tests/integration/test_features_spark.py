"""Spark computes the features that DuckDB computes, from the same expressions and snapshot."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from loan_pipeline.bank.sample import SampleSource
from loan_pipeline.bank.sample.snapshot import write_parquet
from loan_pipeline.features import loan_features, serving_features
from loan_pipeline.features.engine import EngineError, engine_tables
from loan_pipeline.lake.store import open_store

pytest.importorskip("pyspark", reason="Spark is not installed: pip install 'loan-pipeline[spark]'")

# Settings reach Spark as they always do; these keep it small.
SMALL = (
    "--driver-memory 1g --conf spark.ui.enabled=false --conf spark.sql.shuffle.partitions=1 "
    "--conf spark.sql.codegen.wholeStage=false --conf spark.log.level=ERROR pyspark-shell"
)


def compute(folder: Path, master: str | None) -> list[pa.Table]:
    """Both feature tables of the folder's snapshot."""
    manifest = write_parquet(SampleSource(0.01, 4), folder)
    with engine_tables(open_store(folder.as_uri()), manifest, master) as tables:
        return [
            loan_features(tables).order_by("loan_id").to_pyarrow(),
            serving_features(tables, manifest.as_of).order_by("account_id").to_pyarrow(),
        ]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:pyspark")
def test_spark_and_duckdb_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", SMALL)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    with pytest.raises(EngineError, match="LOAN_SPARK_MASTER=nowhere"):
        compute(tmp_path / "unused", "nowhere")
    duckdb, spark = compute(tmp_path / "lake", None), compute(tmp_path / "lake", "local[2]")
    for ours, theirs in zip(duckdb, spark, strict=True):
        assert ours.num_rows > 0
        pd.testing.assert_frame_equal(theirs.to_pandas(), ours.to_pandas(), rtol=1e-9, atol=1e-9)
