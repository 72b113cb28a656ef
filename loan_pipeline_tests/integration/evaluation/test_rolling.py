"""Rolling origin, with real training."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from loan_pipeline.evaluation.backtest import backtest
from loan_pipeline.evaluation.rolling import cut_dates, rolling_origin, rolling_origin_for_report
from loan_pipeline.training.errors import UnsuitableLoans
from loan_pipeline.training.inputs import with_outcome
from loan_pipeline.training.recipes import recipe
from loan_pipeline_tests.helpers.loan_tables import loan_table

pytestmark = pytest.mark.slow

LOANS = loan_table(240)
QUICK = recipe("quick")


def test_cuts_are_the_ends_of_calendar_periods_with_enough_loans_on_both_sides() -> None:
    known = with_outcome(LOANS, "observed")
    cuts = cut_dates(known, 12)
    assert cuts == [date(1993, 12, 31), date(1994, 12, 31), date(1995, 12, 31)]
    few = known[(known["paid_off"] == 1) | (known["date"] > "1995-01-01")]
    assert cut_dates(few, 12) == [date(1995, 12, 31)]
    with pytest.raises(UnsuitableLoans, match="steps of 12 months"):
        cut_dates(known[known["paid_off"] == 1], 12)


@pytest.mark.slow
def test_every_cut_is_a_backtest_and_the_means_are_theirs() -> None:
    answer = rolling_origin(LOANS, 12, feature_set="application", chosen=QUICK, seed=3)
    assert [cut["train_until"] for cut in answer["cuts"]] == [
        *("1993-12-31", "1994-12-31", "1995-12-31"),
    ]
    alone = backtest(LOANS, date(1994, 12, 31), feature_set="application", chosen=QUICK, seed=3)
    cut = answer["cuts"][1]
    assert set(cut) == {"train_until", *alone}
    for name in ("n_train", "n_test", "bad_test", "roc_auc", "average_precision", "threshold"):
        assert cut[name] == alone[name]
    later = pd.to_datetime(LOANS["date"]) > pd.Timestamp("1994-12-31")
    assert cut["n_test"] == later.sum(), "all later loans, not those of one period"
    for name in ("roc_auc", "average_precision", "gini", "ks"):
        mean = np.mean([one[name] for one in answer["cuts"]])
        assert answer[name] == pytest.approx(mean)
        interval = answer["intervals"][name]
        assert interval["low"] < mean < interval["high"]


@pytest.mark.slow
def test_the_reports_part_costs_a_few_trainings_of_few_loans_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("loan_pipeline.evaluation.rolling._REPORT_LOANS", 150)
    answer = rolling_origin_for_report(
        LOANS, feature_set="application", chosen=QUICK, target="observed"
    )
    assert answer is not None
    assert 1 <= len(answer["cuts"]) <= 5
    assert all(cut["n_train"] + cut["n_test"] == 150 for cut in answer["cuts"])
    one_outcome = LOANS[LOANS["status"].isin(["A", "C"])]
    how = {"feature_set": "application", "chosen": QUICK, "target": "observed"}
    assert rolling_origin_for_report(one_outcome, **how) is None
    assert rolling_origin_for_report(LOANS, **how, most_cuts=0) is None
