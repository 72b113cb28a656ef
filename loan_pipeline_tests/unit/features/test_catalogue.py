"""The features' page in docs/ is that of the contract, and the contract itself is in order."""

from pathlib import Path

import pytest

from loan_pipeline.contracts.features import (
    FEATURE_SET_NAMES,
    FEATURES,
    REFUSAL_REASONS,
    UnsuitableExclusion,
    contract_version,
    feature_set,
)
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.features.catalogue import with_catalogue

PAGE = Path(__file__).resolve().parents[3] / "docs" / "features.md"


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_catalogue(page) == page, "run: make generate"


def test_a_page_without_the_marks_is_refused() -> None:
    with pytest.raises(LoanPipelineError, match="needs both lines"):
        with_catalogue("# Features\n")


def test_features_are_named_once_and_their_names_give_the_unit() -> None:
    names = [feature.name for feature in FEATURES]
    assert len(set(names)) == len(names)
    for feature in FEATURES:
        if feature.unit == "CZK" and not feature.application:
            assert feature.name.endswith("_czk"), feature.name
        if feature.unit == "count" and feature.name != "transaction_count":
            assert feature.name.endswith("_count"), feature.name


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_says_what_it_is(feature) -> None:
    assert feature.label
    assert feature.definition.endswith(".")
    assert feature.minimum < feature.maximum
    if feature.codes:
        assert (feature.unit, feature.minimum) == ("code", 0)
        assert feature.maximum == len(feature.codes) - 1


def test_the_application_set_is_the_write_ups_thirteen() -> None:
    assert len(feature_set("application")) == 13
    assert contract_version("application") != contract_version("behavioural")


def test_the_behavioural_set_has_nothing_protected_nor_what_grows_as_the_bank_ages() -> None:
    left_out = {*("gender", "age_years"), *("account_age_days", "transaction_count")}
    names = [feature.name for feature in feature_set("behavioural")]
    assert names == [feature.name for feature in FEATURES if feature.name not in left_out]


def test_what_is_excluded_is_left_out_with_what_is_computed_from_it() -> None:
    excluded = ("gender", "balance_min_90d_czk")
    for name in FEATURE_SET_NAMES:
        left = {feature.name for feature in feature_set(name, excluded)}
        assert left == {feature.name for feature in feature_set(name)} - {
            *excluded,
            "balance_min_90d_after_payment_czk",
        }
    assert contract_version("application", ["gender"]) != contract_version("application")
    assert contract_version("behavioural", ["gender"]) == contract_version("behavioural")


@pytest.mark.parametrize(
    ("excluded", "message"),
    [(["gendre"], "no feature is called gendre"), (["amount"], "amount cannot be excluded")],
)
def test_what_cannot_be_excluded_is_named(excluded: list[str], message: str) -> None:
    with pytest.raises(UnsuitableExclusion, match=message):
        feature_set("application", excluded)


def test_every_feature_but_the_protected_has_a_refusal_reason_with_a_code_of_its_own() -> None:
    assert set(REFUSAL_REASONS) == {one.name for one in FEATURES if not one.protected}
    codes = [reason.code for reason in REFUSAL_REASONS.values()]
    assert len(set(codes)) == len(codes)
    # Codes are stable: letters that were sent name them.
    assert REFUSAL_REASONS["payments"].code == "L03"
    assert REFUSAL_REASONS["net_flow_mean_6m_czk"].code == "I06"
