import math

from loan_pipeline.contracts.known_ground import KnownRange
from loan_pipeline.scoring.known_ground import referrals

PAYMENTS = KnownRange(feature="payments", minimum=304, maximum=9910, missing=False)
INCOME = KnownRange(feature="income_mean_6m_czk", minimum=5000, maximum=60000, missing=False)
ORDERS = KnownRange(feature="order_amount_mean_czk", minimum=10, maximum=9000, missing=True)
JOINT = KnownRange(feature="payment_to_income", minimum=0.01, maximum=0.5, missing=False)
RANGES = (PAYMENTS, INCOME, ORDERS, JOINT)
KNOWN = {"payments": 5000.0, "income_mean_6m_czk": 20000.0, "order_amount_mean_czk": math.nan}


def test_a_request_like_the_training_loans_is_not_referred() -> None:
    assert referrals(RANGES, KNOWN) == []
    assert referrals(RANGES, KNOWN | {"payments": 9910.0 * (1 + 3e-8)}) == [], "float32"


def test_what_is_beyond_a_range_is_named_with_the_range_and_in_words() -> None:
    (found,) = referrals((PAYMENTS,), KNOWN | {"payments": 41_667.0})
    assert (found.feature, found.value) == ("payments", 41_667)
    assert (found.known_minimum, found.known_maximum) == (304, 9910)
    assert found.text == (
        "monthly payment: 41,667 CZK; the largest among the loans that the model learned from is "
        "9,910 CZK"
    )
    (low,) = referrals((PAYMENTS,), KNOWN | {"payments": 12.0})
    assert "the smallest among" in low.text


def test_a_joint_limit_is_exceeded_where_each_feature_alone_is_known() -> None:
    (found,) = referrals(RANGES, KNOWN | {"payments": 9000.0, "income_mean_6m_czk": 6000.0})
    assert found.feature == "payment_to_income"
    assert found.value == 1.5
    assert "1.50" in found.text


def test_a_missing_value_is_referred_only_where_no_training_loan_lacked_it() -> None:
    (found,) = referrals(RANGES, KNOWN | {"income_mean_6m_czk": math.nan})
    assert (found.feature, found.value) == ("income_mean_6m_czk", None)
    assert "every loan that the model learned from has a value" in found.text
