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

    def figures(self, weights: FloatArray | None = None) -> dict[str, float]:
        """ROC AUC, Gini, Kolmogorov-Smirnov and average precision; NaN for one outcome alone.

        Args:
            weights: per loan in ascending order of score; ones where None.
        """
        weights = np.ones(len(self.good)) if weights is None else weights
        good = np.add.reduceat(weights * self.good, self.starts)
        bad = np.add.reduceat(weights * (1 - self.good), self.starts)
        goods, bads = good.sum(), bad.sum()
        if goods == 0 or bads == 0:
            return dict.fromkeys(RANKING_METRICS, np.nan)
        good_so_far, bad_so_far = np.cumsum(good), np.cumsum(bad)
        roc_auc = float((good * (bad_so_far - bad / 2)).sum() / (goods * bads))
        precision = bad_so_far / np.maximum(good_so_far + bad_so_far, 1e-300)
        return {
            "roc_auc": roc_auc,
            "gini": 2 * roc_auc - 1,
            "ks": float(np.max(np.abs(bad_so_far / bads - good_so_far / goods))),
            "average_precision": float((bad * precision).sum() / bads),
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

    def figures(self, weights: FloatArray | None = None) -> dict[str, float]:
        """Every metric by name; NaN where one outcome has no weight.

        Args:
            weights: per loan in ascending order of probability; ones where None.
        """
        weights = np.ones(len(self.good)) if weights is None else weights
        good, bad = weights * self.good, weights * (1 - self.good)
        if good.sum() == 0 or bad.sum() == 0:
            return dict.fromkeys(METRICS, np.nan) | self.calibration(weights, good)
        return (
            self.ranking.figures(weights)
            | self.calibration(weights, good)
            | decision_figures(
                found=bad[self.refused].sum(),
                missed=bad[~self.refused].sum(),
                turned_away=good[self.refused].sum(),
                accepted=good[~self.refused].sum(),
            )
        )

    def calibration(self, weights: FloatArray, good: FloatArray) -> dict[str, float]:
        """How well probabilities agree with how often loans are paid off."""
        total = weights.sum()
        expected = weights * self.probabilities
        gaps = np.add.reduceat(expected - good, self._bins)
        return {
            "brier": float((weights * (self.probabilities - self.good) ** 2).sum() / total),
            "calibration_error": float(np.abs(gaps).sum() / total),
            "calibration_bias": float((expected - good).sum() / total),
        }


def decision_figures(
    found: float, missed: float, turned_away: float, accepted: float
) -> dict[str, float]:
    """Metrics of the decisions at a threshold.

    Args:
        found: loans not paid off that were refused.
        missed: loans not paid off that were accepted.
        turned_away: loans paid off that were refused.
        accepted: loans paid off that were accepted.
    """
    recall = found / (found + missed)
    specificity = accepted / (accepted + turned_away)
    refused = found + turned_away
    precision = found / refused if refused else 0.0
    f1 = 2 * found / (2 * found + missed + turned_away)
    spread = refused * (missed + accepted) * (found + missed) * (accepted + turned_away)
    mcc = (found * accepted - missed * turned_away) / np.sqrt(spread) if spread else 0.0
    return {
        "balanced_accuracy": float((recall + specificity) / 2),
        "accuracy": float((found + accepted) / (found + missed + turned_away + accepted)),
        "f1": float(f1),
        "mcc": float(mcc),
        "precision": float(precision),
        "recall": float(recall),
        "specificity": float(specificity),
    }


RANKING_METRICS: tuple[str, ...] = ("roc_auc", "gini", "ks", "average_precision")
METRICS: tuple[str, ...] = (
    *RANKING_METRICS,
    "brier",
    "calibration_error",
    "calibration_bias",
    *decision_figures(1, 1, 1, 1),
)


def measure(scored: ScoredLoans) -> dict[str, float]:
    """Every metric by name, without intervals."""
    return Measure(scored).figures()


def measure_with_intervals(
    scored: ScoredLoans, *, seed: int = 0, draws: int = DRAWS
) -> dict[str, Metric]:
    """Every metric with its 95 % interval over bootstrap draws.

    Draws that hold one outcome only, which happens where a sample holds a handful of it, count
    for the metrics that they allow and no others.
    """
    subject = Measure(scored)
    figures = subject.figures()
    drawn = [subject.figures(weights) for weights in bootstrap_weights(len(scored), seed, draws)]
    intervals = {}
    for name, value in figures.items():
        low, high = np.nanpercentile([figure[name] for figure in drawn], [2.5, 97.5])
        intervals[name] = Metric(value=value, low=float(low), high=float(high))
    return intervals


def bootstrap_weights(loans: int, seed: int, draws: int) -> Iterator[FloatArray]:
    """How often each of so many loans is drawn, per draw."""
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        picks = generator.integers(0, loans, loans)
        yield np.bincount(picks, minlength=loans).astype(np.float64)


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
