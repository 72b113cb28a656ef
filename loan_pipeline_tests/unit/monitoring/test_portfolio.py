"""The portfolio: what is left of each running loan, its score, and sums that add up."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loan_pipeline.contracts.features import feature_set
from loan_pipeline.monitoring.errors import MonitoringError
from loan_pipeline.monitoring.plots import portfolio_bars
from loan_pipeline.monitoring.portfolio import (
    TOTALS,
    running_loans,
    score_portfolio,
    totals,
    watch_list,
)
from loan_pipeline.scoring.affordability import combine
from loan_pipeline.scoring.bundle import load_bundle
from loan_pipeline.scoring.scorer import Scorer
from loan_pipeline_tests.helpers.bundles import typical_values, write_bundle

AS_OF = date(1998, 12, 31)


def loans() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "loan_id": [4, 3, 2, 1, 5],
            "account_id": [104, 103, 102, 101, 105],
            "date": pd.to_datetime(
                ["1998-10-15", "1997-12-31", "1993-01-05", "1998-12-31", "1998-01-01"]
            ),
            "amount": [24_000.0, 36_000.0, 12_000.0, 60_000.0, 12_000.0],
            "duration": [24.0, 36.0, 12.0, 60.0, 12.0],
            "status": ["C", "D", "C", "C", "A"],
            "region": ["Prague", "Prague", "north Moravia", "north Moravia", "Prague"],
        }
    )


def accounts(*numbers: int) -> pd.DataFrame:
    """Accounts like the reference loan's, with different balances."""
    values = dict(
        zip(
            (f.name for f in feature_set("behavioural")), typical_values("behavioural"), strict=True
        )
    )
    rows = []
    for n, number in enumerate(numbers):
        row: dict[str, object] = {"account_id": number}
        for feature in feature_set("behavioural"):
            if feature.origin == "account":
                row[feature.name] = (
                    feature.codes[0] if feature.codes else (values[feature.name] or 0) * (1 + n / 4)
                )
        rows.append(row)
    return pd.DataFrame(rows)


@pytest.fixture
def scorer(tmp_path: Path) -> Scorer:
    write_bundle(tmp_path, "behavioural", threshold=0.5)
    return Scorer(load_bundle(tmp_path))


def test_what_is_left_of_a_loan_follows_from_its_plan() -> None:
    running = running_loans(loans(), AS_OF)
    assert running["loan_id"].tolist() == [1, 2, 3, 4]  # the finished one is gone
    # Granted today; past its plan's end; a year ago to the day; two and a half months ago.
    assert running["months_left"].tolist() == [60, 1, 24, 22]
    assert running["exposure_czk"].tolist() == [60_000, 1_000, 24_000, 22_000]
    assert running["vintage"].tolist() == [1998, 1993, 1997, 1998]


def test_each_loan_is_scored_by_what_its_account_is_like_now(scorer: Scorer) -> None:
    running, known = running_loans(loans(), AS_OF), accounts(104, 103, 102, 101, 7)
    scored = score_portfolio(running, known, scorer, loss_given_default=0.45)
    assert scored["probability_paid_off"].nunique() > 1
    for row in scored.itertuples():
        loss = (1 - row.probability_paid_off) * row.exposure_czk * 0.45
        assert row.expected_loss_czk == pytest.approx(loss)
    # The same as the scorer's own way for the account, with what is left as its terms.
    account = known.set_index("account_id").loc[103]
    features = {
        f.name: f.encode(account[f.name])
        for f in feature_set("behavioural")
        if f.origin == "account"
    }
    features |= combine(features, {"amount": 24_000.0, "duration": 24.0})
    inputs = np.array([features[f.name] for f in feature_set("behavioural")], dtype=np.float32)
    expected = scorer.explain(inputs)
    found = scored[scored["loan_id"] == 3].iloc[0]
    assert found["probability_paid_off"] == pytest.approx(expected.probability_paid_off)
    lowering = [reason.text for reason in expected.reasons if reason.contribution < 0][:4]
    assert found["reasons"] == "; ".join(lowering)


def test_the_watch_list_has_loans_in_debt_and_refused_ones_by_expected_loss() -> None:
    scored = pd.DataFrame(
        {
            "loan_id": [1, 2, 3, 4],
            "status": ["C", "D", "C", "D"],
            "prediction": ["paid_off", "paid_off", "not_paid_off", "not_paid_off"],
            "expected_loss_czk": [900.0, 100.0, 300.0, 200.0],
        }
    )
    assert watch_list(scored)["loan_id"].tolist() == [3, 4, 2]


@pytest.mark.parametrize("by", TOTALS)
def test_totals_add_up(scorer: Scorer, by: str) -> None:
    running = running_loans(loans(), AS_OF)
    scored = score_portfolio(running, accounts(101, 102, 103, 104), scorer, 0.45)
    summed = totals(scored, by)
    parts, whole = summed[summed[by] != "all"], summed[summed[by] == "all"].iloc[0]
    for column in ("loans", "in_debt", "on_watch_list", "exposure_czk", "expected_loss_czk"):
        assert parts[column].sum() == pytest.approx(whole[column])
    assert whole["loans"] == 4
    assert whole["in_debt"] == 1
    assert whole["exposure_czk"] == 107_000
    assert portfolio_bars(summed, by).startswith("<?xml")


def test_an_account_without_features_is_named(scorer: Scorer) -> None:
    with pytest.raises(MonitoringError, match="account 101"):
        score_portfolio(running_loans(loans(), AS_OF), accounts(102, 103, 104), scorer, 0.45)


def test_a_bank_without_running_loans_has_an_empty_portfolio(scorer: Scorer) -> None:
    running = running_loans(loans().assign(status="A"), AS_OF)
    scored = score_portfolio(running, accounts(101), scorer, 0.45)
    assert scored.empty
    assert totals(scored, "region")["loans"].tolist() == [0]
    assert portfolio_bars(totals(scored, "region"), "region").startswith("<?xml")
