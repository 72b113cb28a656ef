"""The fingerprint of the feature contract changes with what a model depends on, and only then."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from loan_pipeline.contracts import features
from loan_pipeline.contracts.features import APPLICATION_FEATURES, Feature, contract_version

Change = Callable[[Feature], Feature]


def _version_with(monkeypatch: pytest.MonkeyPatch, changed: tuple[Feature, ...]) -> tuple[str, str]:
    before = contract_version("application")
    monkeypatch.setattr(features, "APPLICATION_FEATURES", changed)
    return before, contract_version("application")


def _one(name: str, change: Change) -> tuple[Feature, ...]:
    return tuple(change(one) if one.name == name else one for one in APPLICATION_FEATURES)


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, label="spelled rightly"),
        lambda one: replace(one, definition="The same, said better."),
        lambda one: replace(one, null_means=one.null_means and "the same in other words"),
        lambda one: replace(one, minimum=one.minimum - 1, maximum=one.maximum + 1),
    ],
    ids=["label", "definition", "words for null", "bounds of valid requests"],
)
def test_words_and_bounds_leave_every_release_usable(
    monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    for name in ("card_type", "order_amount_mean_czk"):
        before, after = _version_with(monkeypatch, _one(name, change))
        assert after == before


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, name="kind_of_card"),
        lambda one: replace(one, codes=one.codes[::-1]),
        lambda one: replace(one, codes=(*one.codes, "platinum")),
        lambda one: replace(one, null_means=None if one.null_means else "unknown"),
        lambda one: replace(one, unit="count"),
        lambda one: replace(one, origin="terms"),
    ],
    ids=[
        "name",
        "order of codes",
        "a code more",
        "may be null or not",
        "unit",
        "what it is made from",
    ],
)
def test_what_changes_a_models_numbers_changes_the_version(
    monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    before, after = _version_with(monkeypatch, _one("card_type", change))
    assert after != before


@pytest.mark.parametrize(
    "changed",
    [APPLICATION_FEATURES[::-1], APPLICATION_FEATURES[:-1]],
    ids=["another order", "a feature less"],
)
def test_the_list_of_features_and_its_order_count(
    monkeypatch: pytest.MonkeyPatch, changed: tuple[Feature, ...]
) -> None:
    before, after = _version_with(monkeypatch, changed)
    assert after != before
