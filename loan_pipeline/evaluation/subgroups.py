"""Fairness: decisions and metrics by gender, age band and region, whether or not they are inputs.

"Accepted" is the decision "paid off". Small subgroups have wide intervals; the counts stand beside
every figure. What the limits mean is in docs/recipes.md.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from loan_pipeline.contracts.bundle import Metric
from loan_pipeline.contracts.fairness import LOWEST_SELECTION_RATIO
from loan_pipeline.evaluation.metrics import ScoredLoans, measure_with_intervals

# Of the applicants who would pay: how much less often a subgroup may be accepted.
LARGEST_TRUE_POSITIVE_GAP = 0.1
# A warning needs a difference that chance makes less often than this.
SIGNIFICANCE = 0.05
# Smaller subgroups are shown, but nothing is compared with them.
FEWEST_TO_COMPARE = 30

_AGE_BANDS = (0, 25, 35, 45, 55, 200)
_SHOWN = ("roc_auc", "gini", "ks", "average_precision", "brier", "calibration_bias")

# Fewer loans of either outcome than this say nothing about ranking.
_FEWEST_TO_MEASURE = 3


def by_subgroup(scored: ScoredLoans, loans: pd.DataFrame, *, seed: int = 0) -> list[dict[str, Any]]:
    """Counts, rates and metrics of every subgroup.

    Args:
        scored: predictions.
        loans: rows with `loan_id` and what of `gender`, `age_years` and `region` is known.
        seed: of the bootstrap draws.

    Returns:
        Per subgroup: `kind`, `subgroup`, `n`, `bad`, `share_paid_off`, `mean_probability`; the
        `selection_rate` (accepted of all), `true_positive_rate` (accepted of those paid off) and
        `false_positive_rate` (accepted of those not paid off), each `value`, `low`, `high`
        (Wilson's 95 % interval) with its `accepted` and `of`, None where there is no such loan; the
        `selection_ratio` to the subgroup of the kind with the highest selection rate; and
        `metrics` with intervals where there are enough loans of both outcomes.
    """
    rows = loans.set_index("loan_id").loc[scored.loan_ids]
    described = [
        {"kind": kind, "subgroup": subgroup, **_describe(scored.only(members), seed)}
        for kind, subgroup, members in _subgroups(rows)
    ]
    for one in described:
        best = _most_accepted(described, one["kind"])
        highest = best["selection_rate"]["value"] if best else 0
        one["selection_ratio"] = one["selection_rate"]["value"] / highest if highest else None
    return described


def fairness_warnings(subgroups: list[dict[str, Any]]) -> list[str]:
    """What differs between subgroups beyond the limits and beyond chance, in words.

    Compared is every subgroup with the one of its kind that is accepted most, where both hold at
    least 30 loans: a selection rate below four fifths of its, or a true positive rate more than
    0.1 lower, each where Fisher's exact test gives a difference by chance less than 5 %.

    Args:
        subgroups: as of `by_subgroup`.
    """
    found: list[str] = []
    for kind, members in groupby(subgroups, key=lambda one: str(one["kind"])):
        best = _most_accepted(subgroups, kind)
        for one in members:
            if best is None or one is best or one["n"] < FEWEST_TO_COMPARE:
                continue
            found += _compared(one, best)
    return found


def _most_accepted(subgroups: list[dict[str, Any]], kind: str) -> dict[str, Any] | None:
    large = [one for one in subgroups if one["kind"] == kind and one["n"] >= FEWEST_TO_COMPARE]
    return max(large, key=lambda one: one["selection_rate"]["value"], default=None)


def _compared(one: dict[str, Any], best: dict[str, Any]) -> Iterator[str]:
    names = f"{one['kind']} {one['subgroup']}", f"{best['kind']} {best['subgroup']}"
    rate, highest = one["selection_rate"], best["selection_rate"]
    if one["selection_ratio"] < LOWEST_SELECTION_RATIO and _beyond_chance(rate, highest):
        yield (
            f"{names[0]}: {rate['value']:.0%} of {rate['of']} accepted, "
            f"{one['selection_ratio']:.2f} of the rate of {names[1]} ({highest['value']:.0%} of "
            f"{highest['of']}); below {LOWEST_SELECTION_RATIO} (four-fifths rule)"
        )
    rate, highest = one["true_positive_rate"], best["true_positive_rate"]
    if rate is None or highest is None:
        return
    gap = highest["value"] - rate["value"]
    if gap > LARGEST_TRUE_POSITIVE_GAP and _beyond_chance(rate, highest):
        yield (
            f"{names[0]}: {rate['value']:.0%} of the {rate['of']} who paid accepted, "
            f"{gap:.2f} less than of {names[1]} ({highest['value']:.0%} of {highest['of']}); at "
            f"most {LARGEST_TRUE_POSITIVE_GAP} is allowed"
        )


def _beyond_chance(first: dict[str, Any], second: dict[str, Any]) -> bool:
    from scipy.stats import fisher_exact  # Dagster's definitions load without it

    table = [[rate["accepted"], rate["of"] - rate["accepted"]] for rate in (first, second)]
    return bool(fisher_exact(table).pvalue < SIGNIFICANCE)


def _subgroups(rows: pd.DataFrame) -> Iterator[tuple[str, str, np.ndarray[Any, Any]]]:
    labels: dict[str, pd.Series] = {}
    if "gender" in rows:
        labels["gender"] = rows["gender"]
    if "age_years" in rows:
        labels["age"] = pd.cut(rows["age_years"].astype(float), _AGE_BANDS, right=False)
    if "region" in rows:
        labels["region"] = rows["region"]
    for kind, values in labels.items():
        for subgroup in sorted(values.dropna().unique()):
            yield kind, _words(subgroup), (values == subgroup).to_numpy(dtype=bool)


def _words(subgroup: Any) -> str:
    if not isinstance(subgroup, pd.Interval):
        return str(subgroup)
    if subgroup.left == _AGE_BANDS[0]:
        return f"under {subgroup.right:.0f}"
    if subgroup.right == _AGE_BANDS[-1]:
        return f"{subgroup.left:.0f} and over"
    return f"{subgroup.left:.0f} to {subgroup.right - 1:.0f}"


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
        "selection_rate": _rate(scored.decisions),
        "true_positive_rate": _rate(scored.decisions[good]),
        "false_positive_rate": _rate(scored.decisions[~good]),
        "metrics": {name: metrics[name].model_dump() for name in _SHOWN if name in metrics},
    }


def _rate(decisions: np.ndarray[Any, Any]) -> dict[str, Any] | None:
    """The share accepted, with Wilson's interval; None of no loans."""
    if not len(decisions):
        return None
    from scipy.stats import binomtest

    accepted = int(decisions.sum())
    interval = binomtest(accepted, len(decisions)).proportion_ci(0.95, method="wilson")
    return {
        "value": accepted / len(decisions),
        "low": float(interval.low),
        "high": float(interval.high),
        "accepted": accepted,
        "of": len(decisions),
    }
