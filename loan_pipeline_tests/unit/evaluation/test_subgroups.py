import numpy as np
import pandas as pd
import pytest

from loan_pipeline.evaluation.metrics import ScoredLoans
from loan_pipeline.evaluation.subgroups import by_subgroup, fairness_warnings


def scored(decisions: list[int], paid_off: list[int]) -> ScoredLoans:
    count = len(decisions)
    return ScoredLoans(
        np.arange(count), np.array(paid_off), np.linspace(0.2, 0.9, count), np.array(decisions)
    )


def loans(genders: list[str], **columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame({"loan_id": range(len(genders)), "gender": genders, **columns})


def two_genders(
    accepted_women: int, accepted_men: int, each: int
) -> tuple[ScoredLoans, pd.DataFrame]:
    decisions = [int(n < accepted_women) for n in range(each)]
    decisions += [int(n < accepted_men) for n in range(each)]
    return scored(decisions, [1] * 2 * each), loans(["F"] * each + ["M"] * each)


def test_rates_are_shares_accepted_of_all_of_the_paid_and_of_the_unpaid() -> None:
    predictions = scored([1, 1, 0, 1, 0, 0], [1, 1, 1, 0, 0, 0])
    (women,) = by_subgroup(predictions, loans(["F"] * 6))
    assert women["selection_rate"]["value"] == 0.5
    assert women["true_positive_rate"]["value"] == pytest.approx(2 / 3)
    assert women["false_positive_rate"]["value"] == pytest.approx(1 / 3)
    # Wilson's interval of 3 of 6, by his formula.
    assert (women["selection_rate"]["low"], women["selection_rate"]["high"]) == pytest.approx(
        (0.1876, 0.8124), abs=1e-3
    )


def test_the_ratio_is_to_the_subgroup_that_is_accepted_most() -> None:
    women, men = by_subgroup(*two_genders(60, 90, each=100))
    assert women["selection_ratio"] == pytest.approx(60 / 90)
    assert men["selection_ratio"] == 1


def test_a_ratio_below_four_fifths_beyond_chance_warns_and_names_both() -> None:
    warnings = fairness_warnings(by_subgroup(*two_genders(60, 90, each=100)))
    assert len(warnings) == 2, "the selection ratio, and the true positive rates"
    assert "gender F: 60% of 100 accepted, 0.67 of the rate of gender M (90% of 100)" in warnings[0]
    assert "four-fifths" in warnings[0]


@pytest.mark.parametrize(
    ("women", "men", "each"), [(80, 90, 100), (14, 18, 31), (10, 20, 25)],
    ids=["within four fifths", "chance", "too few loans"],
)  # fmt: skip
def test_what_the_limits_or_chance_allow_does_not_warn(women: int, men: int, each: int) -> None:
    assert fairness_warnings(by_subgroup(*two_genders(women, men, each))) == []


def test_ages_come_in_bands_and_a_subgroup_without_unpaid_loans_has_no_rate_of_them() -> None:
    described = by_subgroup(
        scored([1, 0, 1], [1, 1, 1]), loans(["F", "F", "M"], age_years=[24.9, 25.0, 70.0])
    )
    ages = {one["subgroup"]: one for one in described if one["kind"] == "age"}
    assert {name: one["n"] for name, one in ages.items()} == {
        "under 25": 1,
        "25 to 34": 1,
        "55 and over": 1,
    }
    assert ages["under 25"]["false_positive_rate"] is None
    assert ages["under 25"]["selection_ratio"] is None, "nothing large enough to compare with"
