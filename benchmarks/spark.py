"""Both feature tables on a Spark cluster of this machine, beside DuckDB; then a whole run with it.

The cluster is a standalone master and two workers with a core each, in processes of their own. It
can only lose to DuckDB on one machine; what is measured is the price, and that it is right.

    python -m benchmarks.spark FOLDER OUT [MASTER]

computes both tables of the folder's snapshot into OUT and prints the figures.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pyarrow.parquet as pq

from benchmarks.comparison import Comparison
from benchmarks.released import environment_of
from benchmarks.timing import peak_bytes
from loan_pipeline.features.engine import feature_batches
from loan_pipeline.features.spark import stop_spark
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.snapshot import latest_snapshot
from loan_pipeline.sources.sample import SampleSource
from loan_pipeline.sources.sample.snapshot import write_parquet
from loan_pipeline_tests.helpers.spark_cluster import SparkCluster

SCALES = (1, 10)
REPEATS = 3  # by turns: the medians count
TABLES = {"loan_features": "loan_id", "account_features": "account_id"}
_SUBMIT = "--driver-memory 1g --conf spark.executor.memory=2g --conf spark.log.level=ERROR"
_SPARK = {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_SUBMIT_ARGS": f"{_SUBMIT} pyspark-shell"}
_CLUSTER = "Spark, two workers"


def main(scales: Sequence[int] = SCALES) -> dict[str, Any]:
    """Compute both tables on both engines at each scale, compare them, and run the pipeline."""
    comparisons = []
    with tempfile.TemporaryDirectory(prefix="bench-spark-") as name:
        folder = Path(name)
        with SparkCluster(folder / "cluster", memory="3g") as cluster:
            for scale in scales:
                comparisons += _at_scale(folder / f"scale-{scale}", scale, cluster)
            seconds = _whole_run(folder / "home", cluster.url)
    for comparison in comparisons:
        peers = ", ".join(f"{peer} {value:.3g}" for peer, value in comparison.peers.items())
        print(f"{comparison.work}: DuckDB {comparison.ours:.3g} {comparison.unit}, {peers}")
    print(f"the whole pipeline at scale 1 with the cluster: {seconds:.0f} s")
    return {
        "comparisons": [comparison.as_data() for comparison in comparisons],
        "whole_run_seconds": seconds,
        "notes": [
            "`ours` is DuckDB. Every value is the same to 1e-9.",
            f"The whole pipeline at scale 1 with the cluster took {seconds:.0f} s.",
        ],
    }


def _at_scale(folder: Path, scale: int, cluster: SparkCluster) -> list[Comparison]:
    manifest = write_parquet(SampleSource(float(scale), 1), folder)
    by_turns: dict[str, list[dict[str, float]]] = {"duckdb": [], "spark": []}
    with _largest_of(cluster) as largest:
        for number in range(REPEATS):
            for engine, runs in by_turns.items():
                master = cluster.url if engine == "spark" else None
                runs.append(_in_a_process(folder, folder / f"{engine}-{number}", master))
    for name, key in TABLES.items():
        ours, theirs = (
            pd.read_parquet(folder / f"{engine}-0" / f"{name}.parquet")
            .sort_values(key, ignore_index=True)
            for engine in by_turns
        )  # fmt: skip
        pd.testing.assert_frame_equal(theirs, ours, rtol=1e-9, atol=1e-9)
    duckdb, spark = (
        {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        for runs in by_turns.values()
    )
    work = f"scale {scale} ({manifest.tables['trans'].rows:,} transactions)"
    memory = spark["peak_gb"] + largest[0] / 1e9
    return [
        Comparison(f"loan features, {work}", "s", duckdb["loan_features"],
                   {f"{_CLUSTER}, its start included": spark["loan_features"]}),
        Comparison(f"account features, {work}", "s", duckdb["account_features"],
                   {_CLUSTER: spark["account_features"]}),
        Comparison(f"memory, {work}", "GB", duckdb["peak_gb"],
                   {f"{_CLUSTER} and driver": memory}),
    ]  # fmt: skip


@contextmanager
def _largest_of(cluster: SparkCluster) -> Iterator[list[int]]:
    """The most bytes that the cluster holds while the block runs, in the list's one place."""
    largest, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            largest[0] = max(largest[0], cluster.memory_bytes())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield largest
    finally:
        over.set()
        thread.join()


def _in_a_process(folder: Path, out: Path, master: str | None) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.spark", str(folder), str(out)]
    command += [master] if master else []
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ | _SPARK)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _whole_run(home: Path, master: str) -> float:
    program = str(Path(sys.executable).with_name("loan-pipeline"))
    environment = environment_of(home) | _SPARK | {"LOAN_SPARK_MASTER": master}
    started = time.perf_counter()
    subprocess.run([program, "run", "--source", "sample"], check=True, env=environment,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    return time.perf_counter() - started


def _measure(folder: Path, out: Path, master: str | None) -> dict[str, float]:
    """Seconds of each table, and the peak of this process with the JVM that it started."""
    store = open_store(folder.as_uri())
    manifest = latest_snapshot(store)
    out.mkdir()
    figures = {}
    for name in TABLES:
        started = time.perf_counter()
        with feature_batches(store, manifest, name, master) as batches:
            pq.write_table(batches.read_all(), out / f"{name}.parquet")
        figures[name] = time.perf_counter() - started
    children = psutil.Process().children(recursive=True)
    figures["peak_gb"] = (peak_bytes() + sum(c.memory_info().rss for c in children)) / 1e9
    stop_spark()
    return figures


if __name__ == "__main__":
    print(json.dumps(_measure(Path(sys.argv[1]), Path(sys.argv[2]), *(sys.argv[3:] or [None]))))
