import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from loan_pipeline.training.calibration import (
    Platt,
    choose_threshold,
    cross_fitted,
    fit_platt,
)


def distorted_scores(loans: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True probabilities, outcomes drawn from them, and scores as class weights distort them."""
    generator = np.random.default_rng(1)
    logits = generator.normal(2, 1.5, loans)
    truth = 1 / (1 + np.exp(-logits))
    scores = 1 / (1 + np.exp(-(0.5 * logits - 1)))
    return truth, (generator.random(loans) < truth).astype(np.int64), scores


def test_platt_scaling_undoes_what_class_weights_did():
    truth, paid_off, scores = distorted_scores()
    platt = fit_platt(scores, paid_off)
    assert (platt.slope, platt.intercept) == pytest.approx((2, 2), abs=0.25)
    assert np.abs(platt.apply(scores) - truth).mean() < 0.02


def test_scores_of_zero_and_one_stay_finite_and_in_order():
    answers = Platt(2, 1).apply(np.array([0.0, 0.5, 1.0]))
    assert np.all(np.isfinite(answers))
    assert np.all(np.diff(answers) > 0)


def test_scores_that_point_the_wrong_way_give_the_base_rate_instead_of_the_reverse():
    _, paid_off, scores = distorted_scores()
    answers = fit_platt(1 - scores, paid_off).apply(1 - scores)
    assert answers == pytest.approx(np.full(len(scores), paid_off.mean()), abs=0.01)


def test_the_threshold_reaches_the_best_balanced_accuracy_or_nearly():
    truth, paid_off, _ = distorted_scores(500)
    chosen = balanced_accuracy_score(paid_off, truth >= choose_threshold(truth, paid_off))
    best = max(
        balanced_accuracy_score(paid_off, truth >= threshold) for threshold in np.unique(truth)[::5]
    )
    assert best - 0.02 < chosen <= best


def test_the_dearer_a_lost_loan_the_higher_the_threshold():
    truth, paid_off, _ = distorted_scores()
    thresholds = [choose_threshold(truth, paid_off, ratio) for ratio in (0.2, 1, 5, 20)]
    assert thresholds == sorted(thresholds)
    assert thresholds[1] == pytest.approx(0.5, abs=0.08)  # equal costs: the likelier outcome
    assert thresholds[2] == pytest.approx(5 / 6, abs=0.08)


def test_one_probability_for_all_still_gives_a_threshold():
    assert choose_threshold(np.full(10, 0.8), np.array([1] * 8 + [0] * 2)) == 0.8


def test_no_loan_is_calibrated_by_its_own_outcome():
    _, paid_off, scores = distorted_scores(300)
    before, _ = cross_fitted(scores, paid_off, cost_ratio=None, seed=0)
    changed = paid_off.copy()
    changed[7] = 1 - changed[7]
    # Folds are drawn by outcome, so compare against a calibration on all the other loans.
    others = np.arange(300) != 7
    alone = fit_platt(scores[others], paid_off[others]).apply(scores[[7]])[0]
    after, _ = cross_fitted(scores, changed, cost_ratio=None, seed=0)
    assert before[7] == pytest.approx(alone, abs=0.03)
    assert after[7] == pytest.approx(alone, abs=0.03)
