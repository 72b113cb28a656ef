import numpy as np
import pytest

from loan_pipeline.evaluation.metrics import ScoredLoans
from loan_pipeline.evaluation.profit import Prices, profit_curve

SCORED = ScoredLoans(
    np.arange(4), np.array([0, 1, 0, 1]), np.array([0.2, 0.4, 0.6, 0.8]), np.array([0, 0, 1, 1])
)
AMOUNTS = np.array([1000.0, 2000.0, 3000.0, 4000.0])
PRICES = Prices(loss_given_default=0.5, margin=0.1)


def at(curve: dict, threshold: float) -> int:
    return curve["thresholds"].index(threshold)


def test_the_profit_of_a_threshold_is_what_its_accepted_loans_earn_and_lose() -> None:
    curve = profit_curve(SCORED, AMOUNTS, 0.5, PRICES)
    everybody = -500 + 200 - 1500 + 400
    assert curve["profit_czk"][at(curve, 0.0)] == pytest.approx(everybody)
    assert curve["profit_czk"][at(curve, 0.5)] == pytest.approx(-1500 + 400)
    assert curve["profit_at_threshold_czk"] == pytest.approx(-1500 + 400)
    assert curve["profit_czk"][at(curve, 0.7)] == pytest.approx(400)
    assert curve["profit_czk"][at(curve, 1.0)] == 0
    assert curve["share_accepted"][at(curve, 0.5)] == 0.5


def test_the_expected_loss_is_probability_times_exposure_times_loss_given_default() -> None:
    curve = profit_curve(SCORED, AMOUNTS, 0.5, PRICES)
    expected = 0.5 * (0.4 * 3000 + 0.2 * 4000)
    assert curve["expected_loss_czk"][at(curve, 0.5)] == pytest.approx(expected)


def test_the_best_threshold_is_the_middle_of_the_most_profitable_ones() -> None:
    assert profit_curve(SCORED, AMOUNTS, 0.5, PRICES)["best_threshold"] == pytest.approx(
        0.705, abs=0.011
    )
