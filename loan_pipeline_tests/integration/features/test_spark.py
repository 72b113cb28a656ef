"""Spark computes the features that DuckDB computes, from the same expressions and snapshot."""

from pathlib import Path

import pandas as pd
import pytest

from loan_pipeline.features.engine import EngineError, feature_batches
from loan_pipeline.lake.open import open_store
from loan_pipeline.sources.sample import SampleSource
from loan_pipeline.sources.sample.snapshot import write_parquet

pytest.importorskip("pyspark", reason="Spark is not installed: pip install 'loan-pipeline[spark]'")

# Settings reach Spark as they always do; these keep it small.
SMALL = (
    "--driver-memory 1g --conf spark.ui.enabled=false --conf spark.sql.shuffle.partitions=1 "
    "--conf spark.sql.codegen.wholeStage=false --conf spark.log.level=ERROR pyspark-shell"
)


def compute(folder: Path, master: str | None) -> list[pd.DataFrame]:
    """Both feature tables of the folder's snapshot."""
    manifest = write_parquet(SampleSource(0.01, 4), folder)
    store, computed = open_store(folder.as_uri()), []
    for name, key in (("loan_features", "loan_id"), ("account_features", "account_id")):
        with feature_batches(store, manifest, name, master) as batches:
            computed.append(batches.read_pandas().sort_values(key, ignore_index=True))
    return computed


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
        assert len(ours) > 0
        pd.testing.assert_frame_equal(theirs, ours, rtol=1e-9, atol=1e-9)
