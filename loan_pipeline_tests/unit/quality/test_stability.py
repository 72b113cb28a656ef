"""The population stability index against figures worked out by hand, and against chance."""

import math

import numpy as np
import pytest

from loan_pipeline.quality.stability import ACT, WATCH, distribution, stability


def test_the_index_is_the_textbook_sum_over_bins() -> None:
    before = distribution(np.array([0.0] * 8_000 + [1.0] * 2_000), codes=2)
    found = stability(before, np.array([0.0] * 5_000 + [1.0] * 5_000))
    expected = (0.5 - 0.8) * math.log(0.5 / 0.8) + (0.5 - 0.2) * math.log(0.5 / 0.2)
    assert found.index == pytest.approx(expected, abs=1e-3)
    assert found.exceeds(ACT)


def test_a_skewed_count_is_stable_against_itself() -> None:
    """Nine in ten have none: tenths alone would take the bin's share for what it is not."""
    random = np.random.default_rng(0)
    before, now = (random.binomial(1, 0.01, 20_000).astype(float) for _ in range(2))
    assert stability(distribution(before), now).index < 0.001


def test_missing_values_are_a_bin_of_their_own() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=4_000)
    gone = np.where(random.random(4_000) < 0.4, np.nan, values)
    assert stability(distribution(values), gone).exceeds(ACT)
    assert stability(distribution(gone), gone).index == pytest.approx(0)


def test_what_no_bin_expects_gives_a_large_and_finite_index() -> None:
    found = stability(distribution(np.array([0.0] * 500 + [1.0] * 500), codes=3), np.full(500, 2.0))
    assert 2 < found.index < 20


def test_chance_explains_what_small_samples_show() -> None:
    """Of forty small samples without drift, most exceed the watch limit and none exceeds chance."""
    random = np.random.default_rng(1)
    baseline = distribution(random.normal(size=328))
    found = [stability(baseline, random.normal(size=60), comparisons=40) for _ in range(40)]
    assert np.mean([one.index > WATCH for one in found]) > 0.5
    assert not any(one.exceeds(WATCH) for one in found)


def test_a_shift_is_found_in_a_small_sample() -> None:
    random = np.random.default_rng(1)
    baseline = distribution(random.normal(size=328))
    assert stability(baseline, random.normal(1.0, size=60), comparisons=40).exceeds(ACT)


def test_nothing_to_compare_is_no_drift() -> None:
    assert stability(distribution(np.array([])), np.ones(5)).index == 0
    assert stability(distribution(np.ones(5)), np.array([])).n == 0
