"""All account features of a scale-1 snapshot, against pandas and Polars, then at scale 10 and 100.

The peers compute the same values from the same files, which is checked in the same run. What does
not grow with the data (starting DuckDB, opening the snapshot) weighs on scale 1, so Polars runs at
the larger scales too.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from benchmarks import features_pandas, features_polars
from benchmarks.timing import alternating, peak_bytes
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.features.builder import FEATURE_TABLES
from loan_pipeline.features.engine import duckdb_connection, feature_batches
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.snapshot import folder_of, latest_snapshot
from loan_pipeline.sources.sample import SampleSource
from loan_pipeline.sources.sample.snapshot import write_parquet

REPEATS = 5
GROWTH_REPEATS = 3
PANDAS_RATIO_WANTED = 4.0
POLARS_RATIO_ALLOWED = 1.2
MEMORY_ALLOWED_GB = 4.0
COPIES = (10, 100)


def main() -> dict[str, Any]:
    """Run everything; print a table and answer the figures."""
    with tempfile.TemporaryDirectory(prefix="bench-features-") as folder:
        results: dict[str, Any] = {"peers": _peers(Path(folder))}
    results["scales"] = _growth()
    return results


def ours(folder: Path) -> pd.DataFrame:
    """The features as the pipeline computes them, from the snapshot's files."""
    store = open_store(folder.as_uri())
    manifest = latest_snapshot(store)
    with feature_batches(store, manifest, "account_features") as batches:
        frame: pd.DataFrame = batches.read_pandas()
    return frame.sort_values("account_id", ignore_index=True).drop(columns="as_of_date")


def snapshot_paths(folder: Path, manifest: SnapshotManifest) -> dict[str, list[Path]]:
    """The Parquet files of each table, for the peers."""
    root = folder / folder_of(manifest.snapshot_id)
    return {name: [root / f.key for f in table.files] for name, table in manifest.tables.items()}


def same_values(first: pd.DataFrame, second: pd.DataFrame) -> None:
    """Raise where two tables differ; deviations may, by less than a crown (`history.std_czk`)."""
    assert list(first) == list(second)
    for name in first:
        whole_crowns = "_std_" in name
        pd.testing.assert_series_equal(
            first[name],
            second[name],
            check_dtype=False,
            rtol=1e-4 if name == "income_variation_6m" else 1e-9,
            atol=2.0 if whole_crowns else 1e-4 if name == "income_variation_6m" else 1e-6,
        )


def _peers(folder: Path) -> dict[str, Any]:
    manifest = write_parquet(SampleSource(1.0, 1), folder)
    paths = snapshot_paths(folder, manifest)
    runs: dict[str, Callable[[], pd.DataFrame]] = {
        "ours": lambda: ours(folder),
        "pandas": lambda: features_pandas.account_features(paths, manifest.as_of),
        "polars": lambda: features_polars.account_features(paths, manifest.as_of).to_pandas(),
    }
    values = {name: run() for name, run in runs.items()}
    same_values(values["ours"], values["pandas"])
    same_values(values["ours"], values["polars"])
    seconds = dict(zip(runs, alternating(*runs.values(), repeats=REPEATS), strict=True))
    rows = manifest.tables["trans"].rows
    pandas_ratio = seconds["pandas"] / seconds["ours"]
    polars_ratio = seconds["ours"] / seconds["polars"]
    print(
        f"{len(values['ours'].columns) - 1} features of {len(values['ours']):,} accounts from "
        f"{rows:,} transactions: ours {seconds['ours']:.2f} s, pandas {seconds['pandas']:.2f} s "
        f"({pandas_ratio:.1f} x, wanted {PANDAS_RATIO_WANTED}), Polars {seconds['polars']:.2f} s "
        f"(ours/Polars {polars_ratio:.2f}, at most {POLARS_RATIO_ALLOWED})"
    )
    return {
        "rows": rows,
        "seconds": seconds,
        "pandas_over_ours": pandas_ratio,
        "ours_over_polars": polars_ratio,
    }


def _growth() -> list[dict[str, float]]:
    """Scale 10 and 100 as copies of the bank of scale 1 under other keys: time and memory."""
    measured = []
    with tempfile.TemporaryDirectory(prefix="bench-features-") as name:
        folder = Path(name)
        manifest = write_parquet(SampleSource(1.0, 1), folder)
        paths = snapshot_paths(folder, manifest)
        for copies in COPIES:
            copied = folder / f"copies-{copies}"
            _copy(paths, copied, copies)
            os.sync()  # or the disk still writes while the features are measured
            seconds, peak_gb, peer_seconds, peer_peak_gb = _in_own_processes(copied, manifest.as_of)
            rows = manifest.tables["trans"].rows * copies
            figures = {
                "scale": copies,
                "rows": rows,
                "seconds": seconds,
                "peak_gb": peak_gb,
                "microseconds_per_row": seconds / rows * 1e6,
                "polars_seconds": peer_seconds,
                "polars_peak_gb": peer_peak_gb,
                "ours_over_polars": seconds / peer_seconds,
            }
            measured.append(figures)
            print(
                f"scale {copies}: {rows:,} transactions, {seconds:.1f} s, "
                f"{figures['microseconds_per_row']:.2f} µs each, peak {peak_gb:.2f} GB "
                f"(at most {MEMORY_ALLOWED_GB}); Polars {peer_seconds:.1f} s, "
                f"peak {peer_peak_gb:.2f} GB (ours/Polars {figures['ours_over_polars']:.2f})"
            )
    return measured


def _copy(paths: dict[str, list[Path]], folder: Path, copies: int) -> None:
    """Each table `copies` times, every copy's keys moved out of the way of the others'."""
    folder.mkdir()
    keys = {table.primary_key for table in TABLES} - {"district_id"}
    with duckdb.connect(
        config={"memory_limit": "2GB", "preserve_insertion_order": False}
    ) as connection:
        for name, files in paths.items():
            moved = ", ".join(f"{key} + copy * 1000000000 AS {key}" for key in sorted(keys))
            columns = connection.read_parquet([str(file) for file in files]).columns
            here = [part for part in moved.split(", ") if part.split(" ")[0] in columns]
            times = 1 if name == "district" else copies
            replaced = (
                f"* EXCLUDE (copy) REPLACE ({', '.join(here)})" if here else "* EXCLUDE (copy)"
            )
            connection.execute(
                f"COPY (SELECT {replaced} FROM read_parquet({[str(file) for file in files]}), "
                f"range({times}) copies(copy)) TO '{folder / name}.parquet' (FORMAT parquet)"
            )


def _in_own_processes(folder: Path, as_of: date) -> list[float]:
    """Median seconds and gigabytes of ours and of Polars, in turn.

    The peak memory of a process of its own is the features' alone.
    """
    runs = []
    for _ in range(GROWTH_REPEATS):
        figures = []
        for engine in ("ours", "polars"):
            command = [sys.executable, "-m", "benchmarks.features", engine, str(folder)]
            command.append(as_of.isoformat())
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
            measured = json.loads(answer)
            figures += [measured["seconds"], measured["peak_gb"]]
        runs.append(figures)
    return [statistics.median(column) for column in zip(*runs, strict=True)]


def _measure(engine: str, folder: Path, as_of: date) -> dict[str, float]:
    """Seconds and peak memory of writing the account features to Parquet."""
    out = folder / f"{engine}.parquet"
    files = {table.name: folder / f"{table.name}.parquet" for table in TABLES}
    started = time.perf_counter()
    if engine == "polars":
        paths = {name: [path] for name, path in files.items()}
        features_polars.account_features(paths, as_of).write_parquet(out)
    else:
        with duckdb_connection() as connection:
            for name, path in files.items():
                connection.read_parquet(path, table_name=name)
            tables = {name: connection.table(name) for name in files}
            batches = FEATURE_TABLES["account_features"](tables, as_of).to_pyarrow_batches()
            with pq.ParquetWriter(out, batches.schema) as file:
                for batch in batches:
                    file.write_batch(batch)
    return {"seconds": time.perf_counter() - started, "peak_gb": peak_bytes() / 1e9}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], Path(sys.argv[2]), date.fromisoformat(sys.argv[3]))))
