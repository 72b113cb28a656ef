"""Spark computes the features that DuckDB computes, from the same expressions and snapshot."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from loan_pipeline.bank.embedded.database import EmbeddedBank
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.features.engine import feature_batches
from loan_pipeline.features.spark import EngineError, stop_spark
from loan_pipeline.lake.direct import export_direct
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.protocol import Store
from loan_pipeline.sources.open import open_source
from loan_pipeline.sources.sample import SampleSource
from loan_pipeline.sources.sample.snapshot import write_parquet

pytest.importorskip("pyspark", reason="Spark is not installed: pip install 'loan-pipeline[spark]'")

from loan_pipeline_tests.helpers.spark_cluster import SparkCluster

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Settings reach Spark as they always do; these keep it small. Java's optimising compiler alone took
# nearly as long as all the rest; its default collector, G1, a tenth of what was left.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
SMALL = (
    "--driver-memory 1g --conf spark.executor.memory=512m --conf spark.sql.shuffle.partitions=2 "
    "--conf spark.sql.codegen.wholeStage=false --conf spark.log.level=OFF "
    f"--driver-java-options '{SHORT_LIVED}' "
    f"--conf 'spark.executor.extraJavaOptions={SHORT_LIVED}' pyspark-shell"
)
TABLES = {"loan_features": "loan_id", "account_features": "account_id"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pyspark"),
]


@pytest.fixture(autouse=True)
def small_spark(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sessions of this test alone, small ones."""
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", SMALL)
    monkeypatch.setenv("SPARK_DAEMON_JAVA_OPTS", SHORT_LIVED)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    yield
    stop_spark()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, SnapshotManifest]:
    """A store with the snapshot of a sample bank."""
    folder = tmp_path_factory.mktemp("lake")
    return open_store(folder.as_uri()), write_parquet(SampleSource(0.05, 4), folder)


def compute(
    lake: tuple[Store, SnapshotManifest], name: str, master: str | None = None
) -> pd.DataFrame:
    """A feature table of the snapshot, in the order of its key."""
    with feature_batches(*lake, name, master) as batches:
        computed: pd.DataFrame = batches.read_pandas()
    return computed.sort_values(TABLES[name], ignore_index=True)


def assert_equal_to_duckdb(
    lake: tuple[Store, SnapshotManifest], name: str, spark: pd.DataFrame
) -> None:
    duckdb = compute(lake, name)
    assert len(duckdb) > 30
    pd.testing.assert_frame_equal(spark, duckdb, rtol=1e-9, atol=1e-9)


def test_spark_in_this_process_and_duckdb_agree(lake: tuple[Store, SnapshotManifest]) -> None:
    with pytest.raises(EngineError, match="LOAN_SPARK_MASTER=nowhere"):
        compute(lake, "loan_features", "nowhere")
    assert_equal_to_duckdb(lake, "loan_features", compute(lake, "loan_features", "local[2]"))
    assert not lake[0].list("staging")


def test_a_cluster_in_one_session_agrees_for_both_tables_though_a_worker_is_killed_at_work(
    lake: tuple[Store, SnapshotManifest], tmp_path: Path
) -> None:
    from pyspark.sql import SparkSession

    with SparkCluster(tmp_path / "cluster") as cluster:
        loan_features = compute(lake, "loan_features", cluster.url)
        session = SparkSession.getActiveSession()
        assert session is not None
        assert session.sparkContext.master == cluster.url
        with _worker_killed_at_work(session, cluster) as killed:
            account_features = compute(lake, "account_features", cluster.url)
        assert killed.is_set()
        assert cluster.workers == 1
        again = SparkSession.getActiveSession()
        assert again is not None
        assert again.sparkContext.applicationId == session.sparkContext.applicationId
        stop_spark()
        assert SparkSession.getActiveSession() is None
    assert_equal_to_duckdb(lake, "loan_features", loan_features)
    assert_equal_to_duckdb(lake, "account_features", account_features)
    assert not lake[0].list("staging")


@contextmanager
def _worker_killed_at_work(
    session: "SparkSession", cluster: SparkCluster
) -> Iterator[threading.Event]:
    """Kill a worker as soon as tasks of the computation are done and others still to do."""
    tracker = session.sparkContext.statusTracker()
    killed, over = threading.Event(), threading.Event()

    def watch() -> None:
        seen: set[int] = set()
        while not over.is_set() and not killed.is_set():
            seen |= set(tracker.getActiveStageIds())
            if len(seen) >= 12:  # listing the snapshot's eight tables takes a stage each
                cluster.kill_worker()
                killed.set()
            time.sleep(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def test_s3_without_its_connector_is_refused_with_the_option_that_fetches_it(
    s3_url: str, tmp_path: Path
) -> None:
    bank = EmbeddedBank(tmp_path / "bank.duckdb")
    bank.fill(open_source("sample:scale=0.01"))
    store = open_store(s3_url)
    manifest = export_direct(bank, store, source=None)
    with pytest.raises(EngineError, match=r"--packages org\.apache\.hadoop:hadoop-aws"):
        compute((store, manifest), "loan_features", "local[1]")
