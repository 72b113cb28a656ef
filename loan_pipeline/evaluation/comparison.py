"""Compares two models' scores of the same loans: the difference and its interval."""

import numpy as np

from loan_pipeline.evaluation.metrics import Ranking, bootstrap_weights
from loan_pipeline.training.inputs import FloatArray, IntArray

_DRAWS = 2000


def paired_difference(
    paid_off: IntArray,
    ours: FloatArray,
    theirs: FloatArray,
    *,
    metric: str = "roc_auc",
    seed: int = 0,
    draws: int = _DRAWS,
) -> tuple[float, float, float]:
    """A ranking metric of our scores minus that of theirs, with its 95 % interval.

    The bootstrap is paired: each draw measures both on the same loans.

    Args:
        paid_off: outcomes, 1 and 0, shape [loans].
        ours: scores of the loans, the higher the likelier paid off.
        theirs: the others', of the same loans; the scales may differ.
        metric: of `metrics.RANKING_METRICS`.
        seed: of the draws.
        draws: how many.
    """
    rankings = (Ranking(paid_off, ours), Ranking(paid_off, theirs))

    def difference(weights: FloatArray) -> FloatArray:
        first, second = (one.figures(weights[..., one.order])[metric] for one in rankings)
        return first - second

    drawn = [difference(weights) for weights in bootstrap_weights(len(paid_off), seed, draws)]
    low, high = np.nanpercentile(np.concatenate(drawn), [2.5, 97.5])
    return float(difference(np.ones(len(paid_off)))), float(low), float(high)
