"""Rolling origin: the recipe trained at successive dates, each time tested on all loans after it.

One date says how a recipe ranked once; the mean over dates says how its ranking holds in time.
"""

import tempfile
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.evaluation.backtest import TrainingArguments, outcome_of_test, train_and_score
from loan_pipeline.evaluation.metrics import (
    RANKING_METRICS,
    Figures,
    Ranking,
    ScoredLoans,
    bootstrap_weights,
)
from loan_pipeline.progress import track
from loan_pipeline.training.errors import UnsuitableLoans
from loan_pipeline.training.inputs import FEWEST_OF_AN_OUTCOME, FloatArray, Target, with_outcome
from loan_pipeline.training.recipes import Recipe

# Of a test set; below it, one lucky loan decides the figure.
_FEWEST_IN_TEST = 5
_DRAWS = 1000

# The validation report's trainings take at most this many loans.
_REPORT_LOANS = 4_000


def rolling_origin(
    loans: pd.DataFrame,
    months: int,
    *,
    feature_set: FeatureSet,
    chosen: Recipe,
    target: Target = "observed",
    excluded: Collection[str] = (),
    seed: int = 0,
) -> dict[str, Any]:
    """Train at every cut date and test on all loans granted later.

    Cut dates are the ends of periods of `months` calendar months, counted from the January of the
    first loan's year, where enough loans of either outcome lie before and after. A later test is
    part of an earlier one, so the cuts are no independent samples; the intervals of the means come
    from drawing loans, each draw the same for all cuts.

    Args:
        loans: one row per loan, as `loan_features` makes them.
        months: the period between two cut dates.
        feature_set: which of the contract's features the model sees.
        chosen: the recipe, trained whole at each cut.
        target: which loans count.
        excluded: features of the set that the model is not to see.
        seed: of everything random.

    Returns:
        A JSON-able answer: the arguments; `cuts`, one object a cut with `train_until` and the
        fields of `backtest`; the means over the cuts `roc_auc`, `gini`, `ks` and
        `average_precision`; and their 95 % `intervals`, each `low` and `high`.

    Raises:
        UnsuitableLoans: no cut has enough loans of either outcome on both sides.
        TrainingFailed: AutoGluon failed.
    """
    known = with_outcome(loans, target)
    cuts = cut_dates(known, months)
    how = TrainingArguments(feature_set, chosen, target, tuple(excluded), seed)
    answers, tests = [], []
    with (
        tempfile.TemporaryDirectory(prefix="rolling-origin-") as folder,
        track("Rolling origin", total=len(cuts)) as task,
    ):
        for cut in cuts:
            past = known["date"] <= pd.Timestamp(cut)
            trained, scored = train_and_score(known[past], known[~past], how, Path(folder))
            answers.append(
                {
                    "train_until": cut.isoformat(),
                    **outcome_of_test(trained, known[past], known[~past], scored),
                }
            )
            tests.append(scored)
            task.advance()
    means, intervals = _means(tests, seed)
    return {
        "feature_set": feature_set,
        "recipe": chosen.name,
        "target": target,
        "months": months,
        "cuts": answers,
        **means,
        "intervals": intervals,
    }


def rolling_origin_for_report(
    loans: pd.DataFrame,
    *,
    feature_set: FeatureSet,
    chosen: Recipe,
    target: Target,
    excluded: Collection[str] = (),
    most_cuts: int = 5,
    seed: int = 0,
) -> dict[str, Any] | None:
    """The same at a bounded cost, for the validation report; None where the loans allow no cut.

    At most `most_cuts` cuts, half a year or more apart, of at most 4,000 loans drawn at random,
    and each bag trained once.
    """
    if len(loans) > _REPORT_LOANS:
        loans = loans.sample(_REPORT_LOANS, random_state=seed)
    known = with_outcome(loans, target)
    for months in (6, 12, 24):
        try:
            cuts = cut_dates(known, months)
        except UnsuitableLoans:
            return None
        if len(cuts) <= most_cuts:
            break
    else:
        return None
    once = replace(chosen, bag_sets=min(chosen.bag_sets, 1))
    answer = rolling_origin(
        loans,
        months,
        feature_set=feature_set,
        chosen=once,
        target=target,
        excluded=excluded,
        seed=seed,
    )
    for cut in answer["cuts"]:
        del cut["leaderboard"]
    return answer


def cut_dates(known: pd.DataFrame, months: int) -> list[date]:
    """The last days of training, oldest first.

    Args:
        known: loans as of `with_outcome`.
        months: the period between two dates.

    Raises:
        UnsuitableLoans: there is none with enough loans of either outcome on both sides.
    """
    if months < 1:
        raise UnsuitableLoans(f"a rolling origin moves by 1 month or more, not by {months}")
    first, last = known["date"].min(), known["date"].max()
    starts = pd.date_range(f"{first.year}-01-01", last, freq=f"{months}MS")
    cuts = [
        (start - pd.Timedelta(days=1)).date()
        for start in starts
        if _enough(known[known["date"] < start], FEWEST_OF_AN_OUTCOME)
        and _enough(known[known["date"] >= start], _FEWEST_IN_TEST)
    ]
    if not cuts:
        raise UnsuitableLoans(
            f"no date in steps of {months} months has {FEWEST_OF_AN_OUTCOME} paid and unpaid loans "
            f"before it and {_FEWEST_IN_TEST} after it: take fewer months, or a longer period"
        )
    return cuts


def _enough(loans: pd.DataFrame, fewest: int) -> bool:
    paid = int(loans["paid_off"].sum())
    return min(paid, len(loans) - paid) >= fewest


def _means(
    tests: list[ScoredLoans], seed: int
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """The ranking metrics' means over the tests, and their 95 % intervals over draws of loans."""
    loan_ids = np.unique(np.concatenate([scored.loan_ids for scored in tests]))
    measures = [_weighted(scored, loan_ids) for scored in tests]

    def means(weights: FloatArray) -> FloatArray:
        figures = [measure(weights) for measure in measures]
        return np.stack(
            [np.nanmean([one[name] for one in figures], axis=0) for name in RANKING_METRICS]
        )

    blocks = [means(weights) for weights in bootstrap_weights(len(loan_ids), seed, _DRAWS)]
    lows, highs = np.nanpercentile(np.concatenate(blocks, axis=1), [2.5, 97.5], axis=1)
    whole = means(np.ones(len(loan_ids)))
    return (
        dict(zip(RANKING_METRICS, whole.tolist(), strict=True)),
        {
            name: {"low": float(low), "high": float(high)}
            for name, low, high in zip(RANKING_METRICS, lows, highs, strict=True)
        },
    )


def _weighted(
    scored: ScoredLoans, loan_ids: np.ndarray[Any, Any]
) -> Callable[[FloatArray], Figures]:
    """A test's figures by the weights of all loans of all tests."""
    ranking = Ranking(scored.paid_off, scored.probabilities)
    places = np.searchsorted(loan_ids, scored.loan_ids)[ranking.order]
    return lambda weights: ranking.figures(weights[..., places])
