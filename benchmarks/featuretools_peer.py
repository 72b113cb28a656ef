"""Featuretools with cut-off times beside ours, on the features that its aggregations can express.

Both get the same cut-off times: the loans' own dates, and one day for all accounts.
"""

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from benchmarks.comparison import Comparison
from benchmarks.environments import run_peer
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.features.cashflow import overall
from loan_pipeline.features.engine import snapshot_tables
from loan_pipeline.features.history import KEYS, transactions_before
from loan_pipeline.lake.open import open_store

# What featuretools writes with one aggregation each, by our names.
SUBSET = (
    "transaction_count",
    "transaction_amount_mean_czk",
    "balance_mean_czk",
    "balance_below_zero_count",
    "penalty_interest_czk",
)
_REPEATS = 15


def beside_featuretools(folder: Path, manifest: SnapshotManifest) -> list[Comparison]:
    """Compute the subset both ways, for loans and for accounts; the values must be the same."""
    found = []
    for what in ("loans", "accounts"):
        with tempfile.TemporaryDirectory(prefix="bench-featuretools-") as name:
            ours, seconds = _ours(folder, manifest, what, Path(name))
            theirs = run_peer("featuretools", "featuretools_features", folder=name)
            table = pd.read_parquet(Path(name) / "features.parquet")
        _assert_same(ours, table)
        cut_offs = "each as of its own date" if what == "loans" else "all as of one date"
        work = f"{len(SUBSET)} features that featuretools can express, {len(ours):,} {what}"
        peers = {"featuretools, cut-off times": theirs["seconds"]}
        found.append(Comparison(f"{work}, {cut_offs}", "s", seconds, peers))
    return found


def _ours(
    folder: Path, manifest: SnapshotManifest, what: str, exchange: Path
) -> tuple[pd.DataFrame, float]:
    """Our values and median seconds; leaves transactions and cut-off times for the peer."""
    with snapshot_tables(open_store(folder.as_uri()), manifest) as tables:
        if what == "loans":
            spine = tables["loan"].select("account_id", as_of_date=tables["loan"].date)
        else:
            account = tables["account"]
            spine = account.select("account_id").mutate(as_of_date=manifest.as_of)
        seconds = []
        for _ in range(_REPEATS):
            started = time.perf_counter()
            expression = overall(transactions_before(tables["trans"], spine))
            values: pd.DataFrame = expression.select(*KEYS, *SUBSET).to_pyarrow().to_pandas()
            seconds.append(time.perf_counter() - started)
        spine.to_parquet(exchange / "cut_offs.parquet")
        tables["trans"].to_parquet(exchange / "trans.parquet")
    return values.sort_values("account_id", ignore_index=True), median(seconds)


def _assert_same(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    both: Any = ours.merge(theirs, on="account_id", suffixes=("", "_theirs"), validate="1:1")
    assert len(both) == len(ours)
    for name in SUBSET:
        pd.testing.assert_series_equal(
            both[name].fillna(0).astype("float64"),
            both[f"{name}_theirs"].fillna(0).astype("float64"),
            check_names=False,
            rtol=1e-9,
            atol=1e-6,
        )
