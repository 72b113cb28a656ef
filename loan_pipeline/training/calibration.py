"""Calibration and the threshold: what turns an ensemble's score into a decision.

Both are fitted on out-of-fold predictions of training loans, never on the loans of a test.
"""

from dataclasses import dataclass

import numpy as np

from loan_pipeline.training.inputs import FloatArray, IntArray

# Scores are clipped to this distance from 0 and 1, in AutoGluon's path and in the exported graph
# alike, so that the logarithms stay finite and float32 keeps its precision.
SCORE_MARGIN = 1e-4

# A little ridge on Platt's slope, in units of one observation's weight on the logit.
_RIDGE_C = 10.0
_CROSS_FIT_FOLDS = 10


@dataclass(frozen=True)
class Platt:
    """Platt scaling: probability = sigmoid(slope · logit(score) + intercept).

    Source: J. Platt, Probabilistic outputs for support vector machines, 1999.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, scores: FloatArray) -> FloatArray:
        """Calibrated probabilities of the same shape as `scores`."""
        logits = self.slope * _logit(scores) + self.intercept
        calibrated: FloatArray = 1 / (1 + np.exp(-logits))
        return calibrated

    def slope_at(self, score: float) -> float:
        """By how much the probability moves with the score, there."""
        (probability,) = self.apply(np.array([score]))
        clipped = min(max(score, SCORE_MARGIN), 1 - SCORE_MARGIN)
        return float(self.slope * probability * (1 - probability) / (clipped * (1 - clipped)))


def fit_platt(scores: FloatArray, paid_off: IntArray) -> Platt:
    """Platt scaling of out-of-fold scores; a slope below zero would reverse the order: refused.

    Args:
        scores: uncalibrated probabilities of "paid off", shape [rows].
        paid_off: outcomes 1 and 0, shape [rows].
    """
    from sklearn.linear_model import LogisticRegression  # Dagster's definitions load without it

    regression = LogisticRegression(C=_RIDGE_C).fit(_logit(scores)[:, None], paid_off)
    slope = float(regression.coef_[0, 0])
    if slope <= 0:  # the scores carry no information: answer the base rate rather than the reverse
        odds = np.mean(paid_off) / (1 - np.mean(paid_off))
        return Platt(slope=1e-3, intercept=float(np.log(odds)))
    return Platt(slope, float(regression.intercept_[0]))


def calibrate(
    scores: FloatArray, paid_off: IntArray, cost_ratio: float | None = None
) -> tuple[Platt, float]:
    """Platt scaling of out-of-fold scores, and the threshold on what it gives."""
    platt = fit_platt(scores, paid_off)
    return platt, choose_threshold(platt.apply(scores), paid_off, cost_ratio)


def cross_fitted(
    scores: FloatArray, paid_off: IntArray, *, cost_ratio: float | None, seed: int
) -> tuple[FloatArray, IntArray]:
    """Calibrated probabilities and decisions, each by a calibration that never saw the loan.

    Calibrating and choosing a threshold on the same out-of-fold scores that are then measured
    would flatter both; here each tenth is treated by what the other nine tenths say.

    Returns:
        probabilities and decisions (1 = "paid off"), both of shape [rows].
    """
    from sklearn.model_selection import StratifiedKFold

    probabilities = np.empty(len(scores))
    decisions = np.empty(len(scores), dtype=np.int64)
    rarer = int(min(np.sum(paid_off == 0), np.sum(paid_off == 1)))
    folds = StratifiedKFold(min(_CROSS_FIT_FOLDS, rarer), shuffle=True, random_state=seed)
    for rest, part in folds.split(scores, paid_off):
        platt, threshold = calibrate(scores[rest], paid_off[rest], cost_ratio)
        probabilities[part] = platt.apply(scores[part])
        decisions[part] = probabilities[part] >= threshold
    return probabilities, decisions


def choose_threshold(
    probabilities: FloatArray, paid_off: IntArray, cost_ratio: float | None = None
) -> float:
    """The threshold at or above which "paid off" is answered.

    Args:
        probabilities: calibrated out-of-fold probabilities of training loans.
        paid_off: their outcomes.
        cost_ratio: how many times a loan lost costs more than a good applicant turned away;
            None chooses for balanced accuracy.

    Returns:
        The middle between two neighbouring probabilities; where a range of thresholds is about
        equally good, the middle of that range, which wavers less from sample to sample.
    """
    bad, good = probabilities[paid_off == 0], probabilities[paid_off == 1]
    ratio = len(good) / len(bad) if cost_ratio is None else cost_ratio
    levels = np.unique(probabilities)
    candidates = (levels[1:] + levels[:-1]) / 2 if len(levels) > 1 else levels
    lost = np.searchsorted(np.sort(bad), candidates, side="left")
    accepted_bad = len(bad) - lost
    refused_good = np.searchsorted(np.sort(good), candidates, side="left")
    costs = ratio * accepted_bad + refused_good
    # Within one bad loan's cost of the best, the difference is chance.
    near = candidates[costs <= costs.min() + ratio / 2]
    return float(np.median(near))


def _logit(scores: FloatArray) -> FloatArray:
    clipped = np.clip(np.asarray(scores, dtype=np.float64), SCORE_MARGIN, 1 - SCORE_MARGIN)
    logits: FloatArray = np.log(clipped / (1 - clipped))
    return logits
