import numpy as np
import pytest
from sklearn import metrics as reference

from loan_pipeline.evaluation.metrics import (
    METRICS,
    Measure,
    ScoredLoans,
    bootstrap_weights,
    curves,
    measure,
    measure_with_intervals,
)


def scored_loans(loans: int = 200, *, seed: int = 0, digits: int = 2) -> ScoredLoans:
    """Predictions that know something, with ties."""
    generator = np.random.default_rng(seed)
    paid_off = (generator.random(loans) < 0.8).astype(np.int64)
    probabilities = np.clip(0.6 + 0.25 * paid_off + generator.normal(0, 0.15, loans), 0.01, 0.99)
    probabilities = probabilities.round(digits)
    decisions = (probabilities >= 0.75).astype(np.int64)
    return ScoredLoans(np.arange(loans), paid_off, probabilities, decisions)


@pytest.mark.parametrize("digits", [1, 2, 9])
def test_every_metric_agrees_with_scikit_learn(digits: int):
    scored = scored_loans(digits=digits)
    bad, risk, refused = 1 - scored.paid_off, 1 - scored.probabilities, 1 - scored.decisions
    false_alarms, recall, _ = reference.roc_curve(bad, risk)
    expected = {
        "roc_auc": reference.roc_auc_score(bad, risk),
        "gini": 2 * reference.roc_auc_score(bad, risk) - 1,
        "ks": np.max(recall - false_alarms),
        "average_precision": reference.average_precision_score(bad, risk),
        "brier": reference.brier_score_loss(scored.paid_off, scored.probabilities),
        "calibration_bias": scored.probabilities.mean() - scored.paid_off.mean(),
        "balanced_accuracy": reference.balanced_accuracy_score(bad, refused),
        "accuracy": reference.accuracy_score(bad, refused),
        "f1": reference.f1_score(bad, refused),
        "mcc": reference.matthews_corrcoef(bad, refused),
        "precision": reference.precision_score(bad, refused),
        "recall": reference.recall_score(bad, refused),
        "specificity": reference.recall_score(scored.paid_off, scored.decisions),
    }
    found = measure(scored)
    assert set(found) == set(METRICS) == {*expected, "calibration_error"}
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


def test_calibration_error_is_zero_for_true_probabilities_and_large_for_false_ones():
    paid_off = np.tile([1, 1, 1, 0], 250)
    right = ScoredLoans(np.arange(1000), paid_off, np.full(1000, 0.75), paid_off)
    wrong = ScoredLoans(np.arange(1000), paid_off, np.full(1000, 0.25), paid_off)
    assert measure(right)["calibration_error"] < 0.01
    assert measure(wrong)["calibration_error"] == pytest.approx(0.5)
    assert measure(wrong)["calibration_bias"] == pytest.approx(-0.5)


def test_whoever_accepts_everybody_has_no_precision_and_a_ranking_of_chance():
    paid_off = np.array([1, 0, 1, 1])
    found = measure(ScoredLoans(np.arange(4), paid_off, np.full(4, 0.75), np.ones(4, np.int64)))
    assert (found["roc_auc"], found["precision"], found["recall"]) == (0.5, 0.0, 0.0)
    assert (found["balanced_accuracy"], found["mcc"]) == (0.5, 0.0)


def test_an_interval_holds_its_value_and_narrows_with_more_loans():
    few, many = (measure_with_intervals(scored_loans(n), draws=200) for n in (100, 3000))
    for metrics in (few, many):
        roc_auc = metrics["roc_auc"]
        assert roc_auc.low < roc_auc.value < roc_auc.high
    assert many["roc_auc"].high - many["roc_auc"].low < few["roc_auc"].high - few["roc_auc"].low


def test_an_interval_agrees_with_drawing_loans_and_measuring_by_scikit_learn():
    scored = scored_loans(120)
    generator = np.random.default_rng(5)
    areas = []
    for _ in range(250):
        drawn = generator.integers(0, 120, 120)
        areas.append(reference.roc_auc_score(scored.paid_off[drawn], scored.probabilities[drawn]))
    low, high = np.percentile(areas, [2.5, 97.5])
    found = measure_with_intervals(scored)["roc_auc"]
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.03)


def test_intervals_are_the_same_for_the_same_seed():
    scored = scored_loans(100)
    first, again = (measure_with_intervals(scored, seed=3, draws=50) for _ in range(2))
    assert first == again
    assert first != measure_with_intervals(scored, seed=4, draws=50)


def test_draws_measured_together_are_as_those_measured_alone_and_nan_without_both_outcomes():
    scored = scored_loans(30)
    bad = scored.paid_off == 0
    scored = scored.only(~bad | (np.cumsum(bad) <= 2))
    subject = Measure(scored)
    weights = np.concatenate(list(bootstrap_weights(len(scored), 0, 400)))
    assert weights.shape == (400, len(scored))
    assert (weights.sum(axis=1) == len(scored)).all()
    together = subject.figures(weights)
    alone = [subject.figures(draw) for draw in weights]
    for name, values in together.items():
        np.testing.assert_array_equal(values, [figures[name] for figures in alone])
    lone = weights @ (1 - subject.good) == 0
    assert 0 < lone.sum() < 400
    assert all((np.isnan(values) == lone).all() for name, values in together.items()
               if not name.startswith(("brier", "calibration")))  # fmt: skip
    assert np.isfinite(together["brier"]).all()


def test_curves_run_from_refusing_nobody_to_refusing_everybody():
    scored = scored_loans()
    points = curves(scored)
    assert (points["recall"][0], points["recall"][-1]) == (0, 1)
    area = np.trapezoid(points["recall"], points["false_alarms"])
    assert area == pytest.approx(measure(scored)["roc_auc"])
    assert points["precision"][-1] == pytest.approx(scored.bad / len(scored))
