"""All account features of a snapshot, at 1, 10 and 100 times the public bank, beside other engines.

The peers compute the same values from the same files, which is checked in the same run. At scale 1
the engines run in turn in this process, from a snapshot; the larger scales are copies of it under
other keys, and each engine has a process of its own, so that its peak of memory is its own too.
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from benchmarks import features_pandas, features_polars, features_sql
from benchmarks.comparison import Comparison
from benchmarks.features_engines import ENGINES, Figures, measured
from benchmarks.featuretools_peer import beside_featuretools
from benchmarks.timing import alternating
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.features.engine import feature_batches
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.snapshot import folder_of, latest_snapshot
from loan_pipeline.sources.sample import SampleSource
from loan_pipeline.sources.sample.snapshot import write_parquet

REPEATS = 5
GROWTH_REPEATS = 3
PANDAS_UP_TO = 10  # at 100 it needs more memory than a machine of 24 GB has
SCALES = (1, 10, 100)


def main(scales: Sequence[int] = SCALES) -> dict[str, Any]:
    """Run everything; print a table and return the figures."""
    comparisons: list[Comparison] = []
    with tempfile.TemporaryDirectory(prefix="bench-features-") as name:
        folder = Path(name)
        manifest = write_parquet(SampleSource(1.0, 1), folder)
        paths = snapshot_paths(folder, manifest)
        if 1 in scales:
            comparisons += [_peers(folder, manifest), *beside_featuretools(folder, manifest)]
        for copies in sorted(set(scales) - {1}):
            comparisons += _at_scale(folder / f"copies-{copies}", paths, manifest, copies)
    for comparison in comparisons:
        peers = ", ".join(f"{peer} {value:.3g}" for peer, value in comparison.peers.items())
        print(f"{comparison.work}: ours {comparison.ours:.3g} {comparison.unit}, {peers}")
    return {"comparisons": [comparison.as_data() for comparison in comparisons]}


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


def _peers(folder: Path, manifest: SnapshotManifest) -> Comparison:
    """All engines in turn at scale 1, after a run of each whose values are compared."""
    paths = snapshot_paths(folder, manifest)

    def by_hand() -> pd.DataFrame:
        with duckdb.connect() as connection:
            found = features_sql.account_features(connection, paths, manifest.as_of)
            frame: pd.DataFrame = found.read_pandas()
        return frame

    def polars(engine: Any) -> pd.DataFrame:
        query = features_polars.account_features(paths, manifest.as_of)
        return query.collect(engine=engine).to_pandas()

    runs: dict[str, Callable[[], pd.DataFrame]] = {
        "ours": lambda: ours(folder),
        "SQL by hand": by_hand,
        "Polars": lambda: polars("in-memory"),
        "Polars, streaming": lambda: polars("streaming"),
        "pandas": lambda: features_pandas.account_features(paths, manifest.as_of),
    }
    values = {name: run() for name, run in runs.items()}
    for name in values:
        same_values(values["ours"], values[name])
    seconds = dict(zip(runs, alternating(*runs.values(), repeats=REPEATS), strict=True))
    rows, features = manifest.tables["trans"].rows, len(values["ours"].columns) - 1
    return Comparison(
        f"{features} features of {len(values['ours']):,} accounts, {rows:,} transactions",
        "s",
        seconds.pop("ours"),
        seconds,
        goal="4 x pandas, at least 0.83 x Polars",
    )


def _at_scale(
    folder: Path, paths: dict[str, list[Path]], manifest: SnapshotManifest, copies: int
) -> list[Comparison]:
    """Time and memory of every engine that can, on `copies` copies of the bank."""
    _copy(paths, folder, copies)
    os.sync()  # or the disk still writes while the features are measured
    engines = [name for name in ENGINES if name != "pandas" or copies <= PANDAS_UP_TO]
    figures = measured(folder, manifest.as_of, engines, GROWTH_REPEATS)
    rows = manifest.tables["trans"].rows * copies
    work = f"the same, {copies} x the data ({rows:,} transactions)"
    return [
        _comparison(work, "s", "seconds", figures, "ahead of Polars"),
        _comparison(f"{work}, peak memory", "GB", "peak_gb", figures, "under 4 GB"),
    ]


def _comparison(
    work: str, unit: str, key: str, figures: dict[str, Figures], goal: str
) -> Comparison:
    values = {engine: found[key] for engine, found in figures.items()}
    return Comparison(work, unit, values.pop("ours"), values, goal=goal)


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
