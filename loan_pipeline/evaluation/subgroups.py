"""The same metrics by gender, age band and region: which applicants does the model serve worse?

Small subgroups have wide intervals; the counts stand beside every figure.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from loan_pipeline.contracts.bundle import Metric
from loan_pipeline.evaluation.metrics import ScoredLoans, measure_with_intervals

_AGE_BANDS = (0, 25, 35, 45, 55, 200)
_SHOWN = ("roc_auc", "average_precision", "brier", "calibration_bias", "recall", "specificity")

# Fewer loans of either outcome than this say nothing about ranking.
_FEWEST_TO_MEASURE = 3


def by_subgroup(scored: ScoredLoans, loans: pd.DataFrame, *, seed: int = 0) -> list[dict[str, Any]]:
    """Counts, shares and metrics of every subgroup.

    Args:
        scored: predictions.
        loans: rows with `loan_id` and whatever of `gender`, `age_years` and `region` is known.
        seed: of the bootstrap draws.

    Returns:
        Per subgroup: `kind`, `subgroup`, `n`, `bad`, `share_paid_off`, `mean_probability`,
        `share_accepted`, `share_of_good_turned_away`, and `metrics` with intervals where the
        subgroup holds enough loans of both outcomes.
    """
    rows = loans.set_index("loan_id").loc[scored.loan_ids]
    return [
        {"kind": kind, "subgroup": subgroup, **_describe(scored.only(members), seed)}
        for kind, subgroup, members in _subgroups(rows)
    ]


def _subgroups(rows: pd.DataFrame) -> Iterator[tuple[str, str, np.ndarray[Any, Any]]]:
    labels: dict[str, pd.Series] = {}
    if "gender" in rows:
        labels["gender"] = rows["gender"]
    if "age_years" in rows:
        labels["age"] = pd.cut(rows["age_years"].astype(float), _AGE_BANDS, right=False)
    if "region" in rows:
        labels["region"] = rows["region"]
    for kind, values in labels.items():
        for group in sorted(values.dropna().unique()):
            yield kind, _words(group), (values == group).to_numpy(dtype=bool)


def _words(group: Any) -> str:
    if not isinstance(group, pd.Interval):
        return str(group)
    if group.left == _AGE_BANDS[0]:
        return f"under {group.right:.0f}"
    if group.right == _AGE_BANDS[-1]:
        return f"{group.left:.0f} and over"
    return f"{group.left:.0f} to {group.right - 1:.0f}"


def _describe(scored: ScoredLoans, seed: int) -> dict[str, Any]:
    good = scored.paid_off == 1
    metrics: dict[str, Metric] = {}
    if min(scored.bad, int(good.sum())) >= _FEWEST_TO_MEASURE:
        metrics = measure_with_intervals(scored, seed=seed, draws=200)
    return {
        "n": len(scored),
        "bad": scored.bad,
        "share_paid_off": float(good.mean()),
        "mean_probability": float(scored.probabilities.mean()),
        "share_accepted": float(scored.decisions.mean()),
        "share_of_good_turned_away": (
            float(1 - scored.decisions[good].mean()) if good.any() else None
        ),
        "metrics": {name: metrics[name].model_dump() for name in _SHOWN if name in metrics},
    }
