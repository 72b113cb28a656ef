"""The reasons against exact Shapley values by brute force, their sum and their price."""

from itertools import permutations
from math import factorial

import numpy as np
import pytest

from loan_pipeline.scoring import reasons
from loan_pipeline.scoring.bundle import load_bundle
from loan_pipeline.scoring.reasons import contributions
from loan_pipeline.scoring.scorer import Scorer
from loan_pipeline_tests.helpers.bundles import application_fields, write_bundle


def brute_force(model, row, baseline):
    """Shapley values by every order of arrival: the definition, for a handful of features."""
    parts = np.zeros(len(row))
    for order in permutations(range(len(row))):
        mixed = baseline.copy()
        before = model(mixed[None, :])[0]
        for player in order:
            mixed[player] = row[player]
            after = model(mixed[None, :])[0]
            parts[player] += after - before
            before = after
    return parts / factorial(len(row))


def bumpy(rows):
    """Interactions of every order among the first four features, nulls included."""
    known = np.nan_to_num(rows.astype(np.float64), nan=-1.0)
    product = known[:, 0] * known[:, 1] * known[:, 2]
    return 1 / (1 + np.exp(-(product + np.where(known[:, 3] > 0, known[:, 0], known[:, -1]))))


@pytest.mark.parametrize("features", [4, 5, 6])
def test_few_features_get_their_exact_shapley_values(features):
    random = np.random.default_rng(1)
    for _ in range(5):
        row, baseline = random.normal(size=(2, features)).astype(np.float32)
        parts, probability = contributions(bumpy, row, baseline)
        np.testing.assert_allclose(parts, brute_force(bumpy, row, baseline), atol=1e-9)
        assert probability == pytest.approx(bumpy(row[None, :])[0])


def test_more_features_come_close_to_their_exact_shapley_values():
    """Ten players of a triple interaction, the hardest there is: exact by all 1,024 coalitions."""
    random = np.random.default_rng(2)
    masks, weights = reasons._exact(10)
    errors, sizes = [], []
    for _ in range(30):
        row, baseline = random.normal(size=(2, 10)).astype(np.float32)
        exact = weights @ bumpy(np.where(masks, row, baseline))
        parts, _ = contributions(bumpy, row, baseline)
        errors.append(np.abs(parts - exact).max())
        sizes.append(np.abs(exact).max())
    assert np.mean(errors) < 0.15 * np.mean(sizes)
    assert np.max(errors) < 0.15


def test_trees_come_close_to_their_exact_shapley_values(tmp_path):
    """The application set's own model and features, exact by all 8,192 coalitions."""
    write_bundle(tmp_path, "application")
    scorer = Scorer(load_bundle(tmp_path))
    masks, weights = reasons._exact(13)
    baseline = scorer.bundle.baseline.astype(np.float32)
    row = scorer.request_row(application_fields())
    exact = weights @ scorer.probabilities(np.where(masks, row, baseline))
    parts, _ = contributions(scorer.probabilities, row, baseline)
    assert np.abs(parts - exact).mean() < 0.15 * np.abs(exact).max()
    assert np.abs(parts).argmax() == np.abs(exact).argmax(), "the main reason is the same"


def test_pairwise_interactions_are_exact_at_any_number_of_features():
    """A quadratic game's Shapley values are known: own part and half of each interaction."""
    random = np.random.default_rng(3)
    linear, pairs = random.normal(size=60), random.normal(size=(60, 60))
    pairs = np.triu(pairs, 1)

    def model(rows):
        known = rows.astype(np.float64)
        return known @ linear + np.einsum("ni,ij,nj->n", known, pairs, known)

    row, baseline = np.ones(60, dtype=np.float32), np.zeros(60, dtype=np.float32)
    parts, _ = contributions(model, row, baseline)
    expected = linear + (pairs.sum(axis=0) + pairs.sum(axis=1)) / 2
    np.testing.assert_allclose(parts, expected, atol=1e-9)


@pytest.mark.parametrize("features", [1, 2, 7, 13, 28, 60, 130])
def test_contributions_always_sum_to_the_difference(features):
    random = np.random.default_rng(features)
    weights = random.normal(size=features)

    def model(rows):
        return 1 / (1 + np.exp(-np.nan_to_num(rows.astype(np.float64)) @ weights))

    row, baseline = random.normal(size=(2, features)).astype(np.float32)
    row[::3] = np.nan
    baseline[::6] = np.nan
    parts, probability = contributions(model, row, baseline)
    start = model(baseline[None, :])[0]
    assert probability == pytest.approx(model(row[None, :])[0])
    assert parts.sum() == pytest.approx(probability - start, abs=1e-9)
    assert np.all(parts[::6] == 0), "a feature that equals the baseline has no part"


def test_the_typical_loan_itself_needs_no_reasons():
    baseline = np.array([1, np.nan, 3, 4], dtype=np.float32)
    parts, probability = contributions(bumpy, baseline, baseline)
    assert not parts.any()
    assert probability == bumpy(baseline[None, :])[0]


def test_the_same_row_gets_the_same_reasons_twice():
    random = np.random.default_rng(5)
    row, baseline = random.normal(size=(2, 20)).astype(np.float32)
    first, _ = contributions(bumpy, row, baseline)
    second, _ = contributions(bumpy, row, baseline)
    np.testing.assert_array_equal(first, second)
