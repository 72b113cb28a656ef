import numpy as np
import pandas as pd
import pytest

from loan_pipeline.contracts.features import FEATURES_BY_NAME, feature_set
from loan_pipeline.training.errors import UnsuitableLoans
from loan_pipeline.training.inputs import model_inputs, require_enough, with_outcome
from loan_pipeline_tests.helpers.loan_tables import loan_table


def test_the_observed_target_counts_running_loans_and_the_finished_one_does_not():
    loans = loan_table(60)
    observed, finished = with_outcome(loans, "observed"), with_outcome(loans, "finished")
    assert len(observed) == 60
    assert set(finished["status"]) == {"A", "B"}
    assert observed.groupby("status")["paid_off"].unique().map(list).to_dict() == {
        "A": [1],
        "B": [0],
        "C": [1],
        "D": [0],
    }


def test_loans_come_oldest_first():
    assert with_outcome(loan_table(60), "observed")["date"].is_monotonic_increasing


def test_a_loan_that_occurs_twice_is_refused():
    loans = loan_table(60)
    twice = pd.concat([loans, loans.iloc[[3]]])
    with pytest.raises(UnsuitableLoans, match=f"loan {loans.loc[3, 'loan_id']}.*one row per loan"):
        with_outcome(twice, "observed")


@pytest.mark.parametrize("status", ["E", None])
def test_an_unknown_status_is_refused(status: str | None):
    loans = loan_table(60)
    loans.loc[0, "status"] = status
    with pytest.raises(UnsuitableLoans, match="A, B, C, D"):
        with_outcome(loans, "observed")


def test_one_outcome_only_is_refused_with_both_counts():
    loans = loan_table(60)
    good = with_outcome(loans[loans["status"].isin(["A", "C"])], "observed")
    with pytest.raises(UnsuitableLoans, match=r"training needs .* 0 unpaid"):
        require_enough(good, "training")


@pytest.mark.parametrize("name", ["application", "behavioural"])
def test_inputs_are_float32_columns_in_the_order_of_the_contract(name):
    inputs = model_inputs(loan_table(60), name)
    assert list(inputs.columns) == [feature.name for feature in feature_set(name)]
    assert set(inputs.dtypes.astype(str)) == {"float32"}


def test_codes_become_their_numbers_and_unknown_codes_and_nulls_become_nan():
    loans = loan_table(60)
    loans.loc[:3, "card_type"] = ["gold", "none", "platinum", None]
    loans.loc[:1, "order_amount_mean_czk"] = [np.nan, 12.5]
    inputs = model_inputs(loans, "application")
    gold = FEATURES_BY_NAME["card_type"].encode("gold")
    np.testing.assert_array_equal(inputs["card_type"][:4], [gold, 0, np.nan, np.nan])
    np.testing.assert_array_equal(inputs["order_amount_mean_czk"][:2], [np.nan, 12.5])


def test_a_missing_feature_is_named():
    with pytest.raises(UnsuitableLoans, match="lacks age_years"):
        model_inputs(loan_table(60).drop(columns="age_years"), "application")


def test_words_where_numbers_belong_are_named():
    loans = loan_table(60).astype({"amount": object})
    loans.loc[0, "amount"] = "much"
    with pytest.raises(UnsuitableLoans, match="feature amount must hold numbers"):
        model_inputs(loans, "application")
