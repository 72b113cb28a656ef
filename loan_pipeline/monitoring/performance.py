"""How good the answers are: expected before outcomes are known, realised once loans show them.

Expected figures take the released probabilities at their word; realised ones are of requests that
became loans, so both say nothing about people whom the bank turned away.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from loan_pipeline.contracts.bundle import Metric
from loan_pipeline.evaluation.metrics import ScoredLoans, measure, measure_with_intervals
from loan_pipeline.monitoring.periods import Unit, period_starts
from loan_pipeline.monitoring.predictions import numbers_of
from loan_pipeline.training.inputs import FloatArray, IntArray, Target, with_outcome

# A bank grants a loan some weeks after it was asked about; later ones answer another request.
MATCHING_WINDOW = timedelta(days=90)
FEWEST_OF_AN_OUTCOME = 5  # with fewer, a figure of either outcome is an anecdote
EXPECTED = ("roc_auc", "average_precision")
REALISED = ("roc_auc", "average_precision", "brier", "calibration_bias")
_DRAWS = 200
_MOST_DRAWN = 5_000  # answers; more make the interval no more useful, only slower


def expected_performance(rows: pd.DataFrame, unit: Unit, *, seed: int = 0) -> pd.DataFrame:
    """What the calibrated probabilities promise, by period and release.

    Outcomes are drawn from the probabilities; the spread of the figures over the draws is the
    interval.

    Args:
        rows: as of `read_predictions`.
        unit: the length of a period.
        seed: of the draws.

    Returns:
        Oldest first: `period`, `feature_set`, `model_version`, `n`, `share_not_paid_off` expected
        of all who asked and `share_not_paid_off_accepted` of those who were accepted (NaN for
        none), then each of `EXPECTED` with `…_low` and `…_high` (NaN for too few answers).
    """
    keys = [
        period_starts(rows["answered_at"], unit).rename("period"),
        rows["feature_set"],
        rows["model_version"],
    ]
    records = [
        {
            "period": period,
            "feature_set": name,
            "model_version": version,
            **_expected(part, np.random.default_rng(seed)),
        }
        for (period, name, version), part in rows.groupby(keys, sort=True)
    ]
    bounds = [name + end for name in EXPECTED for end in ("", "_low", "_high")]
    shares = ["share_not_paid_off", "share_not_paid_off_accepted"]
    columns = ["period", "feature_set", "model_version", "n", *shares, *bounds]
    return pd.DataFrame.from_records(records, columns=columns)


def matched_loans(rows: pd.DataFrame, loans: pd.DataFrame) -> pd.DataFrame:
    """The requests that became loans.

    A loan is matched with the last request for the same account, amount and duration in the 90
    days up to its date.

    Args:
        rows: as of `read_predictions`.
        loans: `loan_id`, `account_id`, `date`, `amount`, `duration`, `status`.

    Returns:
        One row per matched loan: the loan's columns, and of its request `prediction_id`,
        `answered_at`, `model_version`, `probability_paid_off`, `prediction`.
    """
    asked = rows[rows["account_id"].notna()]
    terms = numbers_of(asked["inputs"]).reindex(columns=["amount", "duration"])
    asked = asked[
        [
            *("prediction_id", "answered_at", "account_id", "feature_set"),
            *("model_version", "probability_paid_off", "prediction"),
        ]
    ].join(terms)
    keys = ["account_id", "amount", "duration"]
    granted = loans[["loan_id", *keys, "date", "status"]].astype(
        {"account_id": "Int64", "amount": "float64", "duration": "float64"}
    )
    both = granted.merge(asked.astype({"amount": "float64", "duration": "float64"}), on=keys)
    asked_on = period_starts(both["answered_at"], "day")
    waited = pd.to_datetime(both["date"]).astype("datetime64[us]") - asked_on.astype(
        "datetime64[us]"
    )
    both = both[(waited >= timedelta(0)) & (waited <= MATCHING_WINDOW)]
    return (
        both.sort_values(["answered_at", "prediction_id"])
        .drop_duplicates("loan_id", keep="last")
        .sort_values(["date", "loan_id"], ignore_index=True)
    )


def realised_performance(
    matched: pd.DataFrame, targets: Mapping[str, Target], *, seed: int = 0
) -> pd.DataFrame:
    """How the answers turned out, by release.

    Args:
        matched: as of `matched_loans`.
        targets: by version, which outcomes count; "observed" for versions it does not name.
        seed: of the bootstrap draws.

    Returns:
        One row per release: `feature_set`, `model_version`, `n` loans with an outcome, `bad`,
        `share_not_paid_off` with what was `expected_not_paid_off`, then each of `REALISED` with
        `…_low` and `…_high`, NaN where an outcome has fewer than `FEWEST_OF_AN_OUTCOME` loans.
    """
    records = []
    for (name, version), part in matched.groupby(["feature_set", "model_version"], sort=True):
        known = with_outcome(part, targets.get(str(version), "observed"))
        if len(known):
            record = {"feature_set": name, "model_version": version}
            records.append(record | _realised(known, seed))
    bounds = [name + end for name in REALISED for end in ("", "_low", "_high")]
    counts = ["n", "bad", "share_not_paid_off", "expected_not_paid_off"]
    return pd.DataFrame.from_records(
        records, columns=["feature_set", "model_version", *counts, *bounds]
    )


def _expected(part: pd.DataFrame, random: np.random.Generator) -> dict[str, Any]:
    probabilities = part["probability_paid_off"].to_numpy(dtype=np.float64)
    accepted = (part["prediction"] == "paid_off").to_numpy().astype(np.int64)
    figures: dict[str, Any] = {
        "n": len(part),
        "share_not_paid_off": float(1 - probabilities.mean()),
        "share_not_paid_off_accepted": (
            float(1 - probabilities[accepted == 1].mean()) if accepted.any() else np.nan
        ),
    }
    bad = float((1 - probabilities).sum())
    if min(bad, len(part) - bad) < FEWEST_OF_AN_OUTCOME:
        return figures
    drawn = [_drawn_figures(probabilities, accepted, random) for _ in range(_DRAWS)]
    for name in EXPECTED:
        values = [draw[name] for draw in drawn]
        figures[name] = float(np.nanmean(values))
        figures[f"{name}_low"], figures[f"{name}_high"] = np.nanpercentile(values, [2.5, 97.5])
    return figures


def _drawn_figures(
    probabilities: FloatArray, accepted: IntArray, random: np.random.Generator
) -> dict[str, float]:
    """The metrics of answers drawn from those that were given, with outcomes drawn for them."""
    picks = random.integers(0, len(probabilities), min(len(probabilities), _MOST_DRAWN))
    chosen = probabilities[picks]
    outcomes = (random.random(len(chosen)) < chosen).astype(np.int64)
    return measure(ScoredLoans(picks, outcomes, chosen, accepted[picks]))


def _realised(known: pd.DataFrame, seed: int) -> dict[str, Any]:
    scored = ScoredLoans(
        known["loan_id"].to_numpy(dtype=np.int64),
        known["paid_off"].to_numpy(dtype=np.int64),
        known["probability_paid_off"].to_numpy(dtype=np.float64),
        (known["prediction"] == "paid_off").to_numpy().astype(np.int64),
    )
    record: dict[str, Any] = {
        "n": len(scored),
        "bad": scored.bad,
        "share_not_paid_off": scored.bad / len(scored),
        "expected_not_paid_off": float(1 - scored.probabilities.mean()),
    }
    metrics: dict[str, Metric] = {}
    if min(scored.bad, len(scored) - scored.bad) >= FEWEST_OF_AN_OUTCOME:
        metrics = measure_with_intervals(scored, seed=seed)
    for name in REALISED:
        if name in metrics:
            metric = metrics[name]
            record |= {name: metric.value, f"{name}_low": metric.low, f"{name}_high": metric.high}
    return record
