"""Backtests: train on the past, test on the loans granted later; and repeated cross-validation."""

import tempfile
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.evaluation.evaluate import SHOWN, leaderboard, score_loans
from loan_pipeline.evaluation.metrics import ScoredLoans, measure
from loan_pipeline.progress import track
from loan_pipeline.training.inputs import Target, require_enough, with_outcome
from loan_pipeline.training.predictor import TrainedPredictor
from loan_pipeline.training.recipes import Recipe
from loan_pipeline.training.train import train_predictor


@dataclass(frozen=True)
class TrainingArguments:
    """How each of several predictors is trained, as `train_predictor` takes it."""

    feature_set: FeatureSet
    chosen: Recipe
    target: Target
    excluded: tuple[str, ...]
    seed: int


def backtest(
    loans: pd.DataFrame,
    train_until: date,
    *,
    feature_set: FeatureSet,
    chosen: Recipe,
    target: Target = "observed",
    excluded: Collection[str] = (),
    seed: int = 0,
) -> dict[str, Any]:
    """Train on loans granted up to `train_until`, inclusive, and test on the later ones.

    Args:
        loans: one row per loan, as `loan_features` makes them.
        train_until: the last day of training.
        feature_set: which of the contract's features the model sees.
        chosen: the recipe.
        target: which loans count.
        excluded: features of the set that the model is not to see.
        seed: of everything random.

    Returns:
        A JSON-able answer: `n_train, n_test, bad_train, bad_test, roc_auc, average_precision,
        balanced_accuracy, brier, gini, ks, threshold, seconds_train`, and the metrics of every
        model in `leaderboard`, best ROC AUC first.

    Raises:
        UnsuitableLoans: too few loans of an outcome before or after the date.
        TrainingFailed: AutoGluon failed.
    """
    known = with_outcome(loans, target)
    past = known["date"] <= pd.Timestamp(train_until)
    older, newer = known[past], known[~past]
    require_enough(older, f"training up to {train_until}")
    require_enough(newer, f"a test after {train_until}", fewest=1)
    with tempfile.TemporaryDirectory(prefix="backtest-") as folder:
        how = TrainingArguments(feature_set, chosen, target, tuple(excluded), seed)
        trained, scored = train_and_score(older, newer, how, Path(folder))
        return outcome_of_test(trained, older, newer, scored)


def train_and_score(
    older: pd.DataFrame,
    newer: pd.DataFrame,
    how: TrainingArguments,
    folder: Path,
) -> tuple[TrainedPredictor, ScoredLoans]:
    """Train on the older loans and predict the newer ones; the predictor lives in `folder`."""
    trained = train_predictor(
        older,
        how.feature_set,
        how.chosen,
        how.target,
        folder / "model",
        seed=how.seed,
        excluded=how.excluded,
    )
    return trained, score_loans(trained, newer)


def outcome_of_test(
    trained: TrainedPredictor, older: pd.DataFrame, newer: pd.DataFrame, scored: ScoredLoans
) -> dict[str, Any]:
    """What `backtest` answers of a predictor of the older loans and its scores of the newer."""
    figures = measure(scored)
    return {
        "n_train": len(older),
        "n_test": len(newer),
        "bad_train": int((older["paid_off"] == 0).sum()),
        "bad_test": scored.bad,
        **{name: figures[name] for name in SHOWN},
        "threshold": trained.facts.threshold,
        "seconds_train": trained.facts.seconds_train,
        "leaderboard": leaderboard(trained, newer),
    }


def cross_validate(
    loans: pd.DataFrame,
    *,
    feature_set: FeatureSet,
    chosen: Recipe,
    target: Target = "observed",
    excluded: Collection[str] = (),
    repeats: int = 5,
    folds: int = 5,
    seed: int = 0,
) -> dict[str, Any]:
    """Repeated stratified cross-validation; every fold trains the whole recipe anew.

    Returns:
        A JSON-able answer: the arguments, `n` and `bad`, and for every metric its `mean` and
        `standard_deviation`, in `metrics` over the repeats (each measures all loans once, out of
        fold) and in `metrics_per_fold` over the folds of all repeats (each measured by itself, as
        scikit-learn's `cross_val_score` does: kinder to rankings, as scores of different folds
        need not compare).

    Raises:
        UnsuitableLoans: too few loans of an outcome.
        TrainingFailed: AutoGluon failed.
    """
    # Here, so that Dagster's definitions load without it.
    from sklearn.model_selection import StratifiedKFold

    known = with_outcome(loans, target)
    require_enough(known, "cross-validation", fewest=2 * folds)
    paid_off = known["paid_off"].to_numpy()
    started = time.perf_counter()
    figures, fold_figures = [], []
    with (
        tempfile.TemporaryDirectory(prefix="cross-validation-") as folder,
        track("Cross-validation", total=repeats * folds) as task,
    ):
        for repeat in range(repeats):
            probabilities = np.empty(len(known))
            decisions = np.empty(len(known), dtype=np.int64)
            splits = StratifiedKFold(folds, shuffle=True, random_state=seed + repeat)
            for rest, part in splits.split(paid_off, paid_off):
                _, scored = train_and_score(
                    known.iloc[rest],
                    known.iloc[part],
                    TrainingArguments(feature_set, chosen, target, tuple(excluded), seed + repeat),
                    Path(folder),
                )
                fold_figures.append(measure(scored))
                probabilities[part] = scored.probabilities
                decisions[part] = scored.decisions
                task.advance()
            ids = known["loan_id"].to_numpy()
            figures.append(measure(ScoredLoans(ids, paid_off, probabilities, decisions)))
    return {
        "feature_set": feature_set,
        "recipe": chosen.name,
        "target": target,
        "repeats": repeats,
        "folds": folds,
        "n": len(known),
        "bad": int((paid_off == 0).sum()),
        "metrics": _spreads(figures),
        "metrics_per_fold": _spreads(fold_figures),
        "seconds": time.perf_counter() - started,
    }


def _spreads(figures: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    return {name: _spread([one[name] for one in figures]) for name in figures[0]}


def _spread(values: list[float]) -> dict[str, float]:
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(np.mean(values)), "standard_deviation": deviation}
