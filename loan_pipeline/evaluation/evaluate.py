"""Honest evaluation: out-of-fold predictions, the out-of-time test, leaderboards, baselines.

Nothing here is fitted on the loans that it measures. Figures come from `metrics`, pictures are
drawn in `plots`.
"""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from loan_pipeline.evaluation.metrics import ScoredLoans, measure
from loan_pipeline.training.calibration import cross_fitted
from loan_pipeline.training.errors import UnsuitableLoans
from loan_pipeline.training.inputs import require_enough
from loan_pipeline.training.predictor import TrainedPredictor

SHOWN = ("roc_auc", "average_precision", "balanced_accuracy", "brier", "gini", "ks")
OUT_OF_TIME_SHARE = 0.2

# With fewer, an out-of-time figure is an anecdote.
_FEWEST_IN_TEST = 3
_BASELINE_FOLDS = 5


def split_out_of_time(
    known: pd.DataFrame, test_from: date | None = None, share: float = OUT_OF_TIME_SHARE
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The older loans, and the newest ones for the out-of-time test.

    Args:
        known: loans as of `with_outcome`, oldest first.
        test_from: the first day of the test; None takes the newest `share` of the loans.
        share: loans of one day stay together, so the test may hold a few more.

    Raises:
        UnsuitableLoans: too few loans of an outcome on either side.
    """
    cut = (
        known["date"].iloc[round(len(known) * (1 - share)) - 1]
        if test_from is None
        else pd.Timestamp(test_from) - pd.Timedelta(days=1)
    )
    newer = known["date"] > cut
    if test_from is None and not newer.any():
        raise UnsuitableLoans(f"all loans were granted by {cut:%Y-%m-%d}: no newer ones to test on")
    require_enough(known[~newer], "training for the out-of-time test")
    require_enough(known[newer], "the out-of-time test", fewest=_FEWEST_IN_TEST)
    return known[~newer].reset_index(drop=True), known[newer].reset_index(drop=True)


def score_loans(trained: TrainedPredictor, known: pd.DataFrame) -> ScoredLoans:
    """Predictions for loans (as of `with_outcome`) that the predictor did not see."""
    probabilities = trained.predict_proba(known)
    decisions = (probabilities >= trained.facts.threshold).astype(np.int64)
    return ScoredLoans(
        known["loan_id"].to_numpy(), known["paid_off"].to_numpy(), probabilities, decisions
    )


def out_of_fold(trained: TrainedPredictor) -> ScoredLoans | None:
    """Predictions for every training loan by models, and a calibration, that did not see it.

    None where the recipe does not bag, and so has none.
    """
    facts = trained.facts
    if not facts.out_of_fold:
        return None
    paid_off = np.asarray(facts.paid_off, dtype=np.int64)
    probabilities, decisions = cross_fitted(
        np.asarray(facts.out_of_fold), paid_off, cost_ratio=facts.cost_ratio, seed=facts.seed
    )
    return ScoredLoans(np.asarray(facts.loan_ids), paid_off, probabilities, decisions)


def leaderboard(trained: TrainedPredictor, known: pd.DataFrame) -> list[dict[str, Any]]:
    """Every model of a predictor on loans it did not see, best ROC AUC first.

    Args:
        trained: the predictor.
        known: loans as of `with_outcome`.

    Returns:
        Per model: `model`, `roc_auc`, `average_precision`, `balanced_accuracy`, `brier`, `gini`,
        `ks` and `seconds_train`, calibrated and with a threshold of its own where the recipe bags.
    """
    paid_off = known["paid_off"].to_numpy()
    seconds = trained.seconds_by_model()
    rows = []
    for name, scores in trained.scores_by_model(known).items():
        platt, threshold = trained.calibration_of(name)
        probabilities = platt.apply(scores)
        scored = ScoredLoans(
            known["loan_id"].to_numpy(),
            paid_off,
            probabilities,
            (probabilities >= threshold).astype(np.int64),
        )
        figures = measure(scored)
        rows.append(
            {"model": name, **{key: figures[key] for key in SHOWN}, "seconds_train": seconds[name]}
        )
    return sorted(rows, key=lambda row: -row["roc_auc"])
