"""Backtests and cross-validation, with real training."""

from datetime import date

import pandas as pd
import pytest

from loan_pipeline.evaluation.backtest import backtest, cross_validate
from loan_pipeline.training.errors import UnsuitableLoans
from loan_pipeline.training.recipes import recipe
from loan_pipeline_tests.helpers.loan_tables import loan_table

pytestmark = pytest.mark.slow

LOANS = loan_table(240)
QUICK = recipe("quick")


def test_a_backtest_answers_exactly_what_was_agreed_and_repeats_itself():
    arguments = {"feature_set": "application", "chosen": QUICK, "seed": 3}
    first, again = (backtest(LOANS, date(1995, 12, 31), **arguments) for _ in range(2))
    assert list(first) == [
        *("n_train", "n_test", "bad_train", "bad_test", "roc_auc", "average_precision"),
        *("balanced_accuracy", "brier", "gini", "ks"),
        *("threshold", "seconds_train", "leaderboard"),
    ]
    until = pd.Timestamp("1995-12-31")
    assert first["n_train"] == (LOANS["date"] <= until).sum()
    assert first["bad_test"] == LOANS.loc[LOANS["date"] > until, "status"].isin(["B", "D"]).sum()
    assert first["roc_auc"] > 0.8
    names = {row["model"].split("_")[0] for row in first["leaderboard"]}
    assert names == {"LogScaleExtraTreesFew", "LogScaleExtraTreesHalf", "WeightedEnsemble"}
    for answer in (first, again):
        answer.pop("seconds_train")
        for row in answer["leaderboard"]:
            row.pop("seconds_train")
    assert first == again


def test_cross_validation_measures_every_loan_once_per_repeat():
    answer = cross_validate(LOANS, feature_set="application", chosen=QUICK, repeats=2, folds=3)
    assert (answer["n"], answer["repeats"], answer["folds"]) == (240, 2, 3)
    assert answer["metrics"]["roc_auc"]["mean"] > 0.8
    assert answer["metrics"]["roc_auc"]["standard_deviation"] > 0


def test_cross_validation_measures_each_fold_by_itself_too():
    answer = cross_validate(LOANS, feature_set="application", chosen=QUICK, repeats=1, folds=3)
    pooled, per_fold = answer["metrics"], answer["metrics_per_fold"]
    assert pooled["roc_auc"]["standard_deviation"] == 0, "one repeat"
    assert per_fold["roc_auc"]["standard_deviation"] > 0, "three folds"
    # A mean over loans is the same both ways where folds are equally large.
    assert per_fold["brier"]["mean"] == pytest.approx(pooled["brier"]["mean"])
    assert per_fold["average_precision"]["mean"] != pooled["average_precision"]["mean"]


def test_a_date_before_all_loans_is_refused():
    with pytest.raises(UnsuitableLoans, match="training up to 1990-01-01"):
        backtest(LOANS, date(1990, 1, 1), feature_set="application", chosen=QUICK)
