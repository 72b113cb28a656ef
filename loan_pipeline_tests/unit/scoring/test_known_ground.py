import math

import numpy as np

from loan_pipeline.contracts.known_ground import KnownRange
from loan_pipeline.scoring.known_ground import KnownGround, Referral

NAMES = ("payments", "income_mean_6m_czk", "order_amount_mean_czk")
PAYMENTS = KnownRange(feature="payments", minimum=304, maximum=9910, missing=False)
INCOME = KnownRange(feature="income_mean_6m_czk", minimum=5000, maximum=60000, missing=False)
ORDERS = KnownRange(feature="order_amount_mean_czk", minimum=10, maximum=9000, missing=True)
JOINT = KnownRange(feature="payment_to_income", minimum=0.01, maximum=0.5, missing=False)
RANGES = (PAYMENTS, INCOME, ORDERS, JOINT)
KNOWN = {"payments": 5000.0, "income_mean_6m_czk": 20000.0, "order_amount_mean_czk": math.nan}


def referral(*ranges: KnownRange, **changes: float) -> tuple[Referral, ...]:
    """What is referred of a loan that differs so from a known one."""
    row = np.array([[(KNOWN | changes)[name] for name in NAMES]], dtype=np.float32)
    (found,) = KnownGround(ranges or RANGES, NAMES).referrals(row)
    return found


def test_a_request_like_the_training_loans_is_not_referred() -> None:
    assert referral() == ()
    third = KnownRange(feature="payments", minimum=304, maximum=9910.1 / 3, missing=False)
    assert referral(third, payments=9910.1 / 3) == (), "float32"


def test_a_model_without_ranges_refers_nothing() -> None:
    row = np.zeros((2, 3), dtype=np.float32)
    assert KnownGround((), NAMES).referrals(row) == [(), ()]


def test_what_is_beyond_a_range_is_named_with_the_range_and_in_words() -> None:
    (found,) = referral(PAYMENTS, payments=41_667.0)
    assert (found.feature, found.value) == ("payments", 41_667)
    assert (found.known_minimum, found.known_maximum) == (304, 9910)
    assert found.text == (
        "monthly payment: 41,667 CZK; the largest among the loans that the model learned from is "
        "9,910 CZK"
    )
    (low,) = referral(PAYMENTS, payments=12.0)
    assert "the smallest among" in low.text


def test_a_joint_limit_is_exceeded_where_each_feature_alone_is_known() -> None:
    (found,) = referral(payments=9000.0, income_mean_6m_czk=6000.0)
    assert found.feature == "payment_to_income"
    assert found.value == 1.5
    assert found.text.startswith(
        "monthly payment as a share of the monthly income: 150 %; the largest"
    )


def test_a_missing_value_is_referred_only_where_no_training_loan_lacked_it() -> None:
    (found,) = referral(income_mean_6m_czk=math.nan)
    assert (found.feature, found.value) == ("income_mean_6m_czk", None)
    assert "every loan that the model learned from has a value" in found.text


def test_each_of_many_requests_gets_its_own_referral() -> None:
    rows = np.array([[5000, 20000, np.nan], [12, 20000, 50000], [5000, 20000, 50]], np.float32)
    found = KnownGround(RANGES, NAMES).referrals(rows)
    assert [[one.feature for one in each] for each in found] == [
        [],
        ["payments", "order_amount_mean_czk", "payment_to_income"],
        [],
    ]
