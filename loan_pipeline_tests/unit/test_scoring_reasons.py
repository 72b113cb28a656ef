"""The reasons against exact Shapley values by brute force, their sum and their price."""

from itertools import permutations
from math import factorial

import numpy as np
import pytest

from loan_pipeline.scoring.reasons import contributions

pytestmark = pytest.mark.fast


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
        parts, probability, start = contributions(bumpy, row, baseline)
        np.testing.assert_allclose(parts, brute_force(bumpy, row, baseline), atol=1e-9)
        assert probability == pytest.approx(bumpy(row[None, :])[0])
        assert start == pytest.approx(bumpy(baseline[None, :])[0])


def test_many_features_come_close_to_their_exact_shapley_values():
    """Eight players are sampled; the exact values of the same game come from all 256 coalitions."""
    from loan_pipeline.scoring import reasons

    random = np.random.default_rng(2)
    masks, weights = reasons._exact(8)
    sampled_masks, sampled_weights = reasons._regression(8, 64)
    for _ in range(20):
        row, baseline = random.normal(size=(2, 8)).astype(np.float32)
        exact = weights @ bumpy(np.where(masks, row, baseline))
        sampled = sampled_weights @ bumpy(np.where(sampled_masks, row, baseline))
        assert np.abs(sampled - exact).max() < 0.05
        assert sampled.sum() == pytest.approx(exact.sum(), abs=1e-9)


def test_pairwise_interactions_are_exact_at_any_number_of_features():
    """A quadratic game's Shapley values are known: own part and half of each interaction."""
    random = np.random.default_rng(3)
    linear, pairs = random.normal(size=60), random.normal(size=(60, 60))
    pairs = np.triu(pairs, 1)

    def model(rows):
        known = rows.astype(np.float64)
        return known @ linear + np.einsum("ni,ij,nj->n", known, pairs, known)

    row, baseline = np.ones(60, dtype=np.float32), np.zeros(60, dtype=np.float32)
    parts, _, _ = contributions(model, row, baseline)
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
    parts, probability, start = contributions(model, row, baseline)
    assert parts.sum() == pytest.approx(probability - start, abs=1e-9)
    assert np.all(parts[::6] == 0), "a feature that equals the baseline has no part"


def test_the_typical_loan_itself_needs_no_reasons():
    baseline = np.array([1, np.nan, 3, 4], dtype=np.float32)
    parts, probability, start = contributions(bumpy, baseline, baseline)
    assert not parts.any()
    assert probability == start


def test_the_same_row_gets_the_same_reasons_twice():
    random = np.random.default_rng(5)
    row, baseline = random.normal(size=(2, 20)).astype(np.float32)
    first, _, _ = contributions(bumpy, row, baseline)
    second, _, _ = contributions(bumpy, row, baseline)
    np.testing.assert_array_equal(first, second)
