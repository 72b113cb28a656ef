"""How good predictions are, each figure with its bootstrap interval.

The event is the loan that is *not* paid off: precision, recall, F1 and average precision are about
finding those, and the risk is one minus the probability. Everything is a weighted sum over loans
sorted once, so that a bootstrap draw costs no sorting.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from loan_pipeline.contracts.bundle import Metric
from loan_pipeline.training.inputs import FloatArray, IntArray

DRAWS = 1000
_WEIGHTS_AT_ONCE = 2**13  # 64 KB: more would not stay in the processor's cache
_CALIBRATION_BINS = 10


@dataclass(frozen=True)
class ScoredLoans:
    """Predictions for loans whose outcome is known; arrays of shape [loans].

    Attributes:
        loan_ids: which loans.
        paid_off: outcomes, 1 and 0.
        probabilities: of being paid off, by a model that did not see the loan.
        decisions: 1 where "paid off" is answered.
    """

    loan_ids: IntArray
    paid_off: IntArray
    probabilities: FloatArray
    decisions: IntArray

    def __len__(self) -> int:
        return len(self.paid_off)

    @property
    def bad(self) -> int:
        """How many loans were not paid off."""
        return int((self.paid_off == 0).sum())

    def only(self, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> "ScoredLoans":
        """The loans where `chosen` is true."""
        return ScoredLoans(
            self.loan_ids[chosen],
            self.paid_off[chosen],
            self.probabilities[chosen],
            self.decisions[chosen],
        )


Figures = dict[str, FloatArray]


class Ranking:
    """How well scores rank loans by outcome, whole or with a weight per loan.

    Args:
        paid_off: outcomes, 1 and 0, shape [loans].
        scores: the higher, the likelier paid off; of any scale, shape [loans].
    """

    def __init__(self, paid_off: IntArray, scores: FloatArray) -> None:
        self.order = np.argsort(scores, kind="stable")
        self.good = paid_off[self.order].astype(np.float64)
        self.scores = scores[self.order]
        # Loans with the same score count together: their order says nothing.
        self.starts = np.flatnonzero(np.diff(self.scores, prepend=-np.inf))

    def figures(self, weights: FloatArray | None = None) -> Figures:
        """ROC AUC, Gini, Kolmogorov-Smirnov and average precision; NaN for one outcome alone.

        Args:
            weights: per loan in ascending order of score, shape [..., loans]; ones where None.

        Returns:
            By name, shape [...].
        """
        weights = np.ones(len(self.good)) if weights is None else weights
        good = np.add.reduceat(weights * self.good, self.starts, axis=-1)
        bad = np.add.reduceat(weights * (1 - self.good), self.starts, axis=-1)
        goods, bads = good.sum(axis=-1), bad.sum(axis=-1)
        lone = _nan_for_one_outcome(goods, bads)
        goods, bads = goods + lone, bads + lone
        good_so_far, bad_so_far = np.cumsum(good, axis=-1), np.cumsum(bad, axis=-1)
        roc_auc = (good * (bad_so_far - bad / 2)).sum(axis=-1) / (goods * bads)
        precision = bad_so_far / np.maximum(good_so_far + bad_so_far, 1e-300)
        apart = bad_so_far / bads[..., None] - good_so_far / goods[..., None]
        return {
            "roc_auc": roc_auc,
            "gini": 2 * roc_auc - 1,
            "ks": np.abs(apart).max(axis=-1),
            "average_precision": (bad * precision).sum(axis=-1) / bads,
        }


class Measure:
    """Measures one set of scored loans, whole or with a weight per loan."""

    def __init__(self, scored: ScoredLoans) -> None:
        self.ranking = Ranking(scored.paid_off, scored.probabilities)
        self.order, self.good = self.ranking.order, self.ranking.good
        self.probabilities = self.ranking.scores
        self.refused = scored.decisions[self.order] == 0
        edges = np.linspace(0, len(self.order), _CALIBRATION_BINS + 1).astype(int)[:-1]
        self._bins = np.unique(edges)

    def figures(self, weights: FloatArray | None = None) -> Figures:
        """Every metric by name; what needs both outcomes is NaN where one has no weight.

        Args:
            weights: per loan in ascending order of probability, shape [..., loans]; ones where
                None.

        Returns:
            By name, shape [...].
        """
        weights = np.ones(len(self.good)) if weights is None else weights
        good, bad = weights * self.good, weights * (1 - self.good)
        return (
            self.ranking.figures(weights)
            | self.calibration(weights, good)
            | decision_figures(
                found=(bad * self.refused).sum(axis=-1),
                missed=(bad * ~self.refused).sum(axis=-1),
                turned_away=(good * self.refused).sum(axis=-1),
                accepted=(good * ~self.refused).sum(axis=-1),
            )
        )

    def calibration(self, weights: FloatArray, good: FloatArray) -> Figures:
        """How well probabilities agree with how often loans are paid off."""
        total = weights.sum(axis=-1)
        apart = weights * self.probabilities - good
        gaps = np.add.reduceat(apart, self._bins, axis=-1)
        squares = weights * (self.probabilities - self.good) ** 2
        return {
            "brier": squares.sum(axis=-1) / total,
            "calibration_error": np.abs(gaps).sum(axis=-1) / total,
            "calibration_bias": apart.sum(axis=-1) / total,
        }


def decision_figures(
    found: FloatArray, missed: FloatArray, turned_away: FloatArray, accepted: FloatArray
) -> Figures:
    """Metrics of the decisions at a threshold; NaN for one outcome alone.

    Args:
        found: loans not paid off that were refused, shape [...].
        missed: loans not paid off that were accepted.
        turned_away: loans paid off that were refused.
        accepted: loans paid off that were accepted.

    Returns:
        By name, shape [...].
    """
    lone = _nan_for_one_outcome(turned_away + accepted, found + missed)
    found, missed, turned_away, accepted = (
        part + lone for part in (found, missed, turned_away, accepted)
    )
    recall, specificity = found / (found + missed), accepted / (accepted + turned_away)
    refused = found + turned_away
    spread = refused * (missed + accepted) * (found + missed) * (accepted + turned_away)
    return {
        "balanced_accuracy": (recall + specificity) / 2,
        "accuracy": (found + accepted) / (found + missed + turned_away + accepted),
        "f1": 2 * found / (2 * found + missed + turned_away),
        "mcc": _quotient(found * accepted - missed * turned_away, np.sqrt(spread)),
        "precision": _quotient(found, refused),
        "recall": recall,
        "specificity": specificity,
    }


def _nan_for_one_outcome(good: FloatArray, bad: FloatArray) -> FloatArray:
    """What to add to weights whose figures need both outcomes: NaN where one has no weight."""
    return np.where((good == 0) | (bad == 0), np.nan, 0.0)


def _quotient(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Part by whole, 0 where the whole is."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole != 0)


RANKING_METRICS: tuple[str, ...] = ("roc_auc", "gini", "ks", "average_precision")
METRICS: tuple[str, ...] = (
    *RANKING_METRICS,
    "brier",
    "calibration_error",
    "calibration_bias",
    *decision_figures(*np.ones(4)),
)


def measure(scored: ScoredLoans) -> dict[str, float]:
    """Every metric by name, without intervals."""
    return {name: float(value) for name, value in Measure(scored).figures().items()}


def measure_with_intervals(
    scored: ScoredLoans, *, seed: int = 0, draws: int = DRAWS
) -> dict[str, Metric]:
    """Every metric with its 95 % interval over bootstrap draws.

    Draws that hold one outcome only, which happens where a sample holds a handful of it, count
    for the metrics that they allow and no others.
    """
    subject = Measure(scored)
    drawn = [subject.figures(weights) for weights in bootstrap_weights(len(scored), seed, draws)]
    intervals = {}
    for name, value in subject.figures().items():
        values = np.concatenate([figures[name] for figures in drawn])
        low, high = np.nanpercentile(values, [2.5, 97.5])
        intervals[name] = Metric(value=float(value), low=float(low), high=float(high))
    return intervals


def bootstrap_weights(loans: int, seed: int, draws: int) -> Iterator[FloatArray]:
    """How often each of so many loans is drawn, in blocks of shape [draws at once, loans]."""
    generator = np.random.default_rng(seed)
    at_once = max(1, _WEIGHTS_AT_ONCE // loans)
    for first in range(0, draws, at_once):
        block = min(at_once, draws - first)
        picks = generator.integers(0, loans, (block, loans)) + loans * np.arange(block)[:, None]
        counts = np.bincount(picks.ravel(), minlength=block * loans)
        yield counts.reshape(block, loans).astype(np.float64)


def curves(scored: ScoredLoans) -> dict[str, FloatArray]:
    """Points of the ROC and precision-recall curves.

    Returns:
        `recall` (of loans not paid off), `false_alarms` (share of paid loans refused) and
        `precision`, each of shape [thresholds], from refusing none to refusing all.
    """
    ranking = Ranking(scored.paid_off, scored.probabilities)
    bad = np.cumsum(np.add.reduceat(1 - ranking.good, ranking.starts))
    good = np.cumsum(np.add.reduceat(ranking.good, ranking.starts))
    return {
        "recall": np.append(0.0, bad / bad[-1]),
        "false_alarms": np.append(0.0, good / good[-1]),
        "precision": np.append(1.0, bad / (bad + good)),
    }
