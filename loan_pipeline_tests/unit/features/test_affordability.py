"""What a loan's terms do to the features that are computed from them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loan_pipeline.contracts.features import FEATURES, FEATURES_BY_NAME
from loan_pipeline.scoring.affordability import combine

ACCOUNT = [f.name for f in FEATURES if f.origin == "account" and not f.codes]
OF_TERMS = [f for f in FEATURES if f.origin != "account"]
AMOUNT, DURATION = FEATURES_BY_NAME["amount"], FEATURES_BY_NAME["duration"]
amounts = st.floats(AMOUNT.minimum, AMOUNT.maximum)


@given(
    value=st.floats(-1e7, 1e7) | st.just(np.nan),
    pair=st.tuples(amounts, amounts).map(sorted),
    duration=st.integers(int(DURATION.minimum), int(DURATION.maximum)),
)
def test_each_feature_moves_with_the_amount_as_the_contract_says_for_every_account(
    value: float, pair: list[float], duration: int
) -> None:
    account = dict.fromkeys(ACCOUNT, value)
    smaller, larger = (
        combine(account, {"amount": amount, "duration": float(duration)}) for amount in pair
    )
    for feature in OF_TERMS:
        before, after = np.float32(smaller[feature.name]), np.float32(larger[feature.name])
        if not np.isnan(before):
            assert feature.with_amount * (after - before) >= 0, feature.name
        assert np.isnan(before) == np.isnan(after)
        if feature.with_amount == 0:
            assert before == after


def test_only_what_is_computed_from_the_amount_moves_with_it() -> None:
    moving = {feature.name for feature in FEATURES if feature.with_amount}
    assert moving == {feature.name for feature in OF_TERMS} - {"duration"}


def test_what_is_computed_from_a_feature_that_is_not_there_is_left_out() -> None:
    combined = combine({"balance_min_90d_czk": 500.0}, {"amount": 1200.0, "duration": 12.0})
    assert set(combined) == {
        *("amount", "duration", "payments"),
        "balance_min_90d_after_payment_czk",
    }
    assert combined["balance_min_90d_after_payment_czk"] == 400
