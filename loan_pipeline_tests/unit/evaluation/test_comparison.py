import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from loan_pipeline.evaluation.comparison import paired_difference


def outcomes_and_scores(noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    paid_off = (np.random.default_rng(0).random(300) < 0.8).astype(np.int64)
    return paid_off, paid_off + np.random.default_rng(seed).normal(0, noise, 300)


def test_a_model_that_ranks_much_better_has_an_interval_above_zero():
    paid_off, good = outcomes_and_scores(0.3, 1)
    _, poor = outcomes_and_scores(2.0, 2)
    for metric in ("roc_auc", "average_precision"):
        difference, low, high = paired_difference(paid_off, good, poor, metric=metric, draws=300)
        assert 0 < low < difference < high


def test_most_intervals_of_models_that_rank_alike_hold_zero():
    held = 0
    for pair in range(20):
        paid_off, first = outcomes_and_scores(0.7, 100 + 2 * pair)
        _, second = outcomes_and_scores(0.7, 101 + 2 * pair)
        _, low, high = paired_difference(paid_off, first, second, draws=200)
        held += low < 0 < high
    assert held >= 17


def test_the_difference_is_that_of_the_metric_whatever_the_scale_of_the_scores():
    paid_off, first = outcomes_and_scores(0.7, 1)
    _, second = outcomes_and_scores(0.9, 2)
    expected = average_precision_score(1 - paid_off, -first) - average_precision_score(
        1 - paid_off, -second
    )
    found, _, _ = paired_difference(
        paid_off, first * 100 - 7, second, metric="average_precision", draws=10
    )
    assert found == pytest.approx(expected, abs=1e-12)
