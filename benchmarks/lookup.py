"""An account's features at the moment of a request: the bundle's file, and Feast's online store.

Feast is set up as its own guide does for one machine: a file source, a feature view, an online
store in SQLite, filled by `materialize`. Both must return the same values.
"""

import random
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.comparison import Comparison
from benchmarks.environments import run_peer
from benchmarks.released import released_bundle, released_home
from loan_pipeline.contracts.bundle import ACCOUNTS_FILE
from loan_pipeline.scoring.accounts import Accounts
from loan_pipeline.scoring.bundle import Bundle

LOOK_UPS = 500
_SAME = 1e-6  # of the values: Feast keeps 64-bit floats, as the bundle does


def main() -> dict[str, Any]:
    """Look accounts of the sample bank's release up."""
    return compare(released_bundle(released_home()))


def compare(bundle: Bundle) -> dict[str, Any]:
    """Look the same accounts up in both; print and return milliseconds each."""
    lookup = Accounts(bundle)
    with tempfile.TemporaryDirectory(prefix="bench-lookup-") as folder:
        source = Path(folder) / "accounts.parquet"
        with closing(sqlite3.connect(bundle.folder / ACCOUNTS_FILE)) as file:
            table = pd.read_sql("SELECT * FROM account_features", file)
        table.to_parquet(source)
        chosen = random.Random(1).choices(table["account_id"].tolist(), k=LOOK_UPS)  # noqa: S311
        seconds = []
        for account in chosen:
            started = time.perf_counter()
            lookup.find(account)
            seconds.append(time.perf_counter() - started)
        feast = run_peer("feast", "feast_lookup", source=str(source), accounts=chosen)
    _assert_same(lookup, chosen, feast["values"])
    ours, theirs = 1000 * median(seconds), 1000 * feast["seconds_a_look_up"]
    print(f"look-up of one account of {len(table):,}: ours {ours:.3f} ms, Feast {theirs:.2f} ms")
    comparison = Comparison(
        f"look one account of {len(table):,} up, {len(table.columns) - 1} features",
        "ms",
        ours,
        {"Feast's online store (SQLite)": theirs},
    )
    return {
        "comparisons": [comparison.as_data()],
        "feast_seconds_to_materialise": feast["seconds_to_materialise"],
    }


def _assert_same(lookup: Accounts, accounts: list[int], values: list[dict[str, Any]]) -> None:
    for account, theirs in zip(accounts, values, strict=True):
        ours = lookup.find(account)
        assert ours is not None
        for name, value in ours.items():
            there = np.nan if theirs[name] is None else float(theirs[name])
            np.testing.assert_allclose(there, value, rtol=_SAME, equal_nan=True, err_msg=name)
