"""Expected figures follow from the probabilities, realised ones from the loans granted."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from loan_pipeline.monitoring.performance import (
    expected_performance,
    matched_loans,
    realised_performance,
)
from loan_pipeline.monitoring.plots import expected_over_time, realised_bars
from loan_pipeline_tests.helpers.answers import VERSION, answers


def loans_of(rows: pd.DataFrame, *, days: int, **changes: object) -> pd.DataFrame:
    """A loan for every request, so many days later; outcomes follow the probabilities."""
    random = np.random.default_rng(5)
    paid = random.random(len(rows)) < rows["probability_paid_off"]
    date = rows["answered_at"].dt.tz_localize(None).dt.normalize() + pd.Timedelta(days=days)
    return pd.DataFrame(
        {
            "loan_id": np.arange(len(rows)) + 5_000,
            "account_id": rows["account_id"].to_numpy(dtype=np.int64),
            "date": date.to_numpy(),
            "amount": 9_600.0,
            "duration": 24.0,
            "status": np.where(paid, "A", "B"),
        }
    ).assign(**changes)


def test_expected_figures_are_what_outcomes_of_these_probabilities_show() -> None:
    rows = answers(4_000, start="2026-11-02", days=7)
    (row,) = expected_performance(rows, "week").to_dict("records")
    probabilities = rows["probability_paid_off"].to_numpy()
    assert row["share_not_paid_off"] == pytest.approx(1 - probabilities.mean())
    accepted = rows["prediction"] == "paid_off"
    assert row["share_not_paid_off_accepted"] == pytest.approx(1 - probabilities[accepted].mean())
    random = np.random.default_rng(9)
    drawn = [roc_auc_score(random.random(4_000) < probabilities, probabilities) for _ in range(50)]
    assert row["roc_auc"] == pytest.approx(np.mean(drawn), abs=0.01)
    assert row["roc_auc_low"] < row["roc_auc"] < row["roc_auc_high"]


def test_too_few_answers_promise_a_share_and_no_ranking() -> None:
    (row,) = expected_performance(answers(20, start="2026-11-02", days=7), "week").to_dict(
        "records"
    )
    assert row["n"] == 20
    assert np.isnan(row["roc_auc"])


def test_a_loan_is_matched_by_account_terms_and_time() -> None:
    rows = answers(6, start="2026-01-05", days=6)
    loans = loans_of(rows, days=10)
    loans.loc[1, "amount"] = 9_700.0
    loans.loc[2, "duration"] = 36.0
    loans.loc[3, "account_id"] = 777
    loans.loc[4, "date"] -= pd.Timedelta(days=11)  # granted before it was asked about
    loans.loc[5, "date"] += pd.Timedelta(days=90)  # too long after
    assert matched_loans(rows, loans)["loan_id"].tolist() == [5_000]


def test_the_last_request_before_the_loan_counts() -> None:
    first, second, after = (
        answers(1, start=day, seed=seed)
        for seed, day in enumerate(("2026-01-05", "2026-01-07", "2026-01-20"))
    )
    loans = loans_of(first, days=5)
    matched = matched_loans(pd.concat([first, second, after]), loans)
    assert matched["prediction_id"].tolist() == ["1-0"]


def test_applications_without_an_account_are_not_matched() -> None:
    rows = answers(3, start="2026-01-05", account_id=pd.array([None] * 3, dtype="Int64"))
    loans = loans_of(answers(3, start="2026-01-05"), days=5)
    assert matched_loans(rows, loans).empty


def test_realised_figures_are_of_the_outcomes_by_release() -> None:
    rows = answers(600, start="2026-01-05")
    rows.loc[:299, "model_version"] = "another"
    loans = loans_of(rows, days=5)
    loans.loc[0, "status"] = "C"
    realised = realised_performance(matched_loans(rows, loans), {VERSION: "finished"})
    assert realised["model_version"].tolist() == [VERSION, "another"]
    assert realised["n"].tolist() == [300, 300]
    bad = (loans["status"] == "B").to_numpy()
    assert realised["bad"].tolist() == [bad[300:].sum(), bad[:300].sum()]
    risk = 1 - rows["probability_paid_off"].to_numpy()
    assert realised["roc_auc"][0] == pytest.approx(roc_auc_score(bad[300:], risk[300:]))
    assert realised["roc_auc_low"][0] < realised["roc_auc"][0] < realised["roc_auc_high"][0]
    assert realised["expected_not_paid_off"][0] == pytest.approx(risk[300:].mean())
    assert "300 loans" in realised_bars(realised)


def test_running_loans_have_no_outcome_where_the_release_counts_finished_ones() -> None:
    rows = answers(10, start="2026-01-05")
    loans = loans_of(rows, days=5, status="C")
    matched = matched_loans(rows, loans)
    assert realised_performance(matched, {VERSION: "finished"}).empty
    assert realised_performance(matched, {VERSION: "observed"})["n"].tolist() == [10]


def test_a_handful_of_loans_gives_counts_and_no_figures() -> None:
    rows = answers(30, start="2026-01-05")
    loans = loans_of(rows, days=5, status="A")
    (row,) = realised_performance(matched_loans(rows, loans), {}).to_dict("records")
    assert (row["n"], row["bad"]) == (30, 0)
    assert np.isnan(row["roc_auc"])


def test_nothing_was_asked() -> None:
    none = answers(1, start="2026-01-05")[:0]
    expected = expected_performance(none, "week")
    assert expected.empty
    assert matched_loans(none, loans_of(answers(2, start="2026-01-05"), days=1)).empty
    assert expected_over_time(expected).startswith("<?xml")
    assert realised_bars(realised_performance(matched_loans(none, loans_of(none, days=1)), {}))
