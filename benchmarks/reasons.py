"""The reasons for a score: the released graph's own, and SHAP's TreeExplainer on the same forest.

Both explain the forest's score against the same reference loan (interventional values with one
reference), so the values must be the same; what differs is the time.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.comparison import Comparison
from benchmarks.environments import run_peer
from benchmarks.forest import ForestArrays, forest_arrays
from benchmarks.released import AMOUNT, DURATION, released_bundle, released_home
from loan_pipeline.scoring.bundle import Bundle
from loan_pipeline.scoring.model import OnnxModel
from loan_pipeline.scoring.scorer import Scorer

Rows = NDArray[np.float32]
Values = NDArray[np.float64]

ROWS = 200
SAME = 1e-5


def main() -> dict[str, Any]:
    """Explain accounts of the sample bank both ways; returns values' difference and times."""
    bundle = released_bundle(released_home())
    rows = account_rows(bundle, ROWS)
    forest = forest_arrays(bundle.model)
    model = OnnxModel(bundle.model, rows.shape[1], bundle.model_place)
    ours, theirs, seconds_a_row = values_and_seconds(model, bundle, forest, rows)
    largest = float(np.abs(ours - theirs).max())
    if largest > SAME:
        raise AssertionError(f"the reasons differ by {largest}: they must be of the same forest")
    seconds = _median_seconds(lambda row: _reasons(model, row), rows)
    print(f"reasons of {len(rows)} accounts, largest difference {largest:.1e}")
    comparison = Comparison(
        f"score and exact reasons of one row, {rows.shape[1]} features, {len(forest.trees)} trees",
        "ms",
        1000 * seconds,
        {"shap.TreeExplainer, reasons alone": 1000 * seconds_a_row},
        note=f"The largest difference of a value is {largest:.0e}.",
    )
    return {"comparisons": [comparison.as_data()], "largest_difference": largest}


def values_and_seconds(
    model: OnnxModel, bundle: Bundle, forest: ForestArrays, rows: Rows
) -> tuple[Values, Values, float]:
    """Our values and SHAP's, both [rows, features], and SHAP's seconds for a row."""
    theirs = run_peer(
        "fastapi",
        "shap_reasons",
        trees=forest.trees,
        rows=forest.filled(rows).tolist(),
        baseline=forest.filled(bundle.baseline.astype(np.float32)).tolist(),
    )
    ours = np.array([_reasons(model, row) for row in rows])
    return ours, np.array(theirs["values"]), theirs["seconds_a_row"]


def account_rows(bundle: Bundle, count: int) -> Rows:
    """The model's inputs for a loan to each of the bundle's first accounts [rows, features]."""
    scorer = Scorer(bundle)
    found = [scorer.account_row(account, AMOUNT, DURATION) for account in accounts(bundle, count)]
    return np.array(found)


def accounts(bundle: Bundle, count: int) -> list[int]:
    """The first account numbers that a bundle knows."""
    import sqlite3
    from contextlib import closing

    from loan_pipeline.contracts.bundle import ACCOUNTS_FILE

    with closing(sqlite3.connect(bundle.folder / ACCOUNTS_FILE)) as file:
        query = "SELECT account_id FROM account_features ORDER BY account_id LIMIT ?"
        return [int(account) for (account,) in file.execute(query, (count,))]


def _reasons(model: OnnxModel, row: NDArray[np.float32]) -> NDArray[np.float64]:
    found = model.reasons(row)
    if found is None:
        raise ValueError("the released graph computes no reasons: release the recipe `default`")
    return found.contributions


def _median_seconds(work: Callable[[NDArray[np.float32]], object], rows: Any) -> float:
    taken = []
    for row in rows:
        started = time.perf_counter()
        work(row)
        taken.append(time.perf_counter() - started)
    return median(taken)
