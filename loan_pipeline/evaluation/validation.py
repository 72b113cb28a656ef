"""The validation report of a candidate: everything measured, as JSON, with its pictures.

A candidate is the predictor for release, trained on all loans, and its holdout model, trained
by the same recipe on the older ones, which makes the out-of-time test. The released bundle carries
the report.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from loan_pipeline.contracts.bundle import Metric
from loan_pipeline.evaluation.baselines import always_paid_off, one_feature_rule
from loan_pipeline.evaluation.evaluate import (
    leaderboard,
    out_of_fold,
    score_loans,
    split_out_of_time,
)
from loan_pipeline.evaluation.importance import permutation_importance
from loan_pipeline.evaluation.metrics import ScoredLoans, measure_with_intervals
from loan_pipeline.evaluation.plots import pictures
from loan_pipeline.evaluation.plots import profit as profit_picture
from loan_pipeline.evaluation.profit import Prices, profit_curve
from loan_pipeline.evaluation.rolling import rolling_origin_for_report
from loan_pipeline.evaluation.subgroups import by_subgroup, fairness_warnings
from loan_pipeline.progress import track
from loan_pipeline.quality.stability import distribution
from loan_pipeline.scoring.known_ground import KnownGround
from loan_pipeline.training.inputs import FloatArray, model_inputs, with_outcome
from loan_pipeline.training.known_ground import known_ranges
from loan_pipeline.training.predictor import TrainedPredictor

BASELINE = "monitoring_baseline"  # where the report keeps what later requests are compared with
DEFAULT_PRICES = Prices()


@dataclass(frozen=True)
class Validation:
    """What was measured.

    Attributes:
        metrics: with intervals, by sample ("cross_validation" where the recipe bags,
            "out_of_time"), then by name.
        report: everything, JSON-able; `metrics.json` of the bundle.
        pictures: SVG texts by file name.
        out_of_time: the holdout model's predictions, for the gate to compare with the released
            model's.
    """

    metrics: dict[str, dict[str, Metric]]
    report: dict[str, Any]
    pictures: dict[str, str]
    out_of_time: ScoredLoans


def validate(
    trained: TrainedPredictor,
    holdout: TrainedPredictor,
    loans: pd.DataFrame,
    *,
    test_from: date | None = None,
    prices: Prices = DEFAULT_PRICES,
    rolling_cuts: int = 5,
) -> Validation:
    """Measure a candidate.

    Args:
        trained: the predictor for release.
        holdout: the one trained on the first part of `split_out_of_time` of the same loans.
        loans: one row per loan, as `loan_features` makes them; a column `region` is used for
            the subgroups where there is one.
        test_from: the first day of the out-of-time test, as it was given to the split.
        prices: for the profit curve.
        rolling_cuts: dates of the rolling origin, at most; each costs a training, two where the
            predictor sees protected features. 0 leaves the rolling origin out.

    Raises:
        UnsuitableLoans: too few loans for a test.
    """
    known = with_outcome(loans, trained.facts.target)
    older, newer = split_out_of_time(known, test_from)
    name, seed = trained.facts.feature_set, trained.facts.seed
    with track(f"Validating the {name} predictor"):
        test = score_loans(holdout, newer)
        samples = {"out_of_time": test}
        folds = out_of_fold(trained)
        if folds is not None:
            samples = {"cross_validation": folds, **samples}
        metrics = {
            sample: measure_with_intervals(scored, seed=seed) for sample, scored in samples.items()
        }
        importance = permutation_importance(holdout, newer, seed=seed)
        rule, by_rule = one_feature_rule(older, newer, name, trained.facts.excluded)
        baselines = {
            "always_paid_off": always_paid_off(older, newer),
            f"one_feature_rule ({rule.feature})": by_rule,
        }
        widest = folds if folds is not None else test
        subgroups = by_subgroup(widest, known, seed=seed)
        amounts = known.set_index("loan_id")["amount"].reindex(widest.loan_ids)
        profit = profit_curve(
            widest, amounts.to_numpy(dtype=np.float64), trained.facts.threshold, prices
        )
        report = {
            "feature_set": name,
            "recipe": trained.facts.recipe,
            "target": trained.facts.target,
            "threshold": trained.facts.threshold,
            "calibration": {"slope": trained.facts.slope, "intercept": trained.facts.intercept},
            "samples": {
                sample: {"n": len(scored), "bad": scored.bad, "metrics": _plain(metrics[sample])}
                for sample, scored in samples.items()
            },
            "out_of_time": {
                "trained_until": holdout.facts.last_loan_date,
                "tested_from": newer["date"].min().date().isoformat(),
                "tested_until": newer["date"].max().date().isoformat(),
            },
            "baselines": {
                label: _plain(measure_with_intervals(scored, seed=seed))
                for label, scored in baselines.items()
            },
            "leaderboard": leaderboard(holdout, newer),
            "rolling_origin": _rolling_origin(trained, loans, rolling_cuts),
            "rolling_origin_without_protected": _without_protected(trained, loans, rolling_cuts),
            "referred": _referred(holdout, older, newer),
            "profit": profit,
            "excluded_features": list(trained.facts.excluded),
            "subgroups": subgroups,
            "fairness_warnings": fairness_warnings(subgroups),
            "importance": importance,
            BASELINE: _baseline(known, trained, widest.probabilities),
        }
        labels = {feature.name: feature.label for feature in trained.features}
        drawn = pictures(samples, labels, importance) | {"profit.svg": profit_picture(profit)}
        return Validation(metrics, report, drawn, test)


def _rolling_origin(
    trained: TrainedPredictor, loans: pd.DataFrame, cuts: int, left_out: Collection[str] = ()
) -> dict[str, Any] | None:
    """How the recipe ranks later loans, `left_out` features left out beside the predictor's own."""
    return rolling_origin_for_report(
        loans,
        feature_set=trained.facts.feature_set,
        chosen=trained.recipe,
        target=trained.facts.target,
        excluded={*trained.facts.excluded, *left_out},
        most_cuts=cuts,
        seed=trained.facts.seed,
    )


def _without_protected(
    trained: TrainedPredictor, loans: pd.DataFrame, cuts: int
) -> dict[str, Any] | None:
    """What the model would be worth without protected features; None where it has none."""
    protected = [feature.name for feature in trained.features if feature.protected]
    found = _rolling_origin(trained, loans, cuts, protected) if protected else None
    if found is None:
        return None
    kept = {name: found[name] for name in ("roc_auc", "average_precision", "intervals")}
    return {"features": protected, **kept}


def _baseline(
    known: pd.DataFrame, trained: TrainedPredictor, probabilities: FloatArray
) -> dict[str, Any]:
    """The distributions of the loans' features, and of scores from models that did not see them."""
    inputs = model_inputs(known, trained.facts.feature_set)
    features = {
        one.name: distribution(inputs[one.name].to_numpy(np.float64), len(one.codes)).model_dump()
        for one in trained.features
    }
    return {"score": distribution(probabilities).model_dump(), "features": features}


def _referred(
    holdout: TrainedPredictor, older: pd.DataFrame, newer: pd.DataFrame
) -> dict[str, int]:
    """How many loans of the out-of-time test lie beyond what the holdout model learned from."""
    ground = KnownGround(known_ranges(holdout, older), [one.name for one in holdout.features])
    found = ground.referrals(holdout.inputs(newer).to_numpy(dtype=np.float32))
    return {"n": len(newer), "referred": sum(map(bool, found))}


def _plain(metrics: dict[str, Metric]) -> dict[str, Any]:
    return {
        name: metric.model_dump() for name, metric in metrics.items() if np.isfinite(metric.value)
    }
