"""What each threshold earns: interest of accepted loans that are paid off, less what others lose.

The bank's prices are assumptions, named beside every figure; no rate is part of the data.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from loan_pipeline.evaluation.metrics import ScoredLoans
from loan_pipeline.training.inputs import FloatArray

_THRESHOLDS = 101


@dataclass(frozen=True)
class Prices:
    """What a loan earns or loses, as a share of its amount.

    Attributes:
        loss_given_default: lost of a loan that is not paid off. 0.45 is the foundation approach's
            for senior unsecured claims in Basel II.
        margin: earned by a loan that is paid off, over its whole life, after the cost of money.
    """

    loss_given_default: float = 0.45
    margin: float = 0.08


def profit_curve(
    scored: ScoredLoans, amounts: FloatArray, threshold: float, prices: Prices
) -> dict[str, Any]:
    """The profit of every threshold, had it decided on the scored loans.

    Args:
        scored: predictions.
        amounts: of the same loans in the same order, CZK.
        threshold: the model's.
        prices: the assumptions.

    Returns:
        `prices`; `thresholds`, `share_accepted`, `expected_loss_czk` (what the probabilities say
        is lost of the accepted) and `profit_czk` (what the outcomes say), lists over 101
        thresholds; `best_threshold`, the middle of those with the highest profit; and at the
        model's own, `threshold` and `profit_at_threshold_czk`.
    """
    thresholds = np.linspace(0, 1, _THRESHOLDS)
    gains = amounts * np.where(scored.paid_off == 1, prices.margin, -prices.loss_given_default)
    losses = amounts * (1 - scored.probabilities) * prices.loss_given_default
    accepted = scored.probabilities[None, :] >= thresholds[:, None]
    profits = accepted @ gains
    return {
        "prices": asdict(prices),
        "thresholds": thresholds.round(2).tolist(),
        "share_accepted": accepted.mean(axis=1).tolist(),
        "expected_loss_czk": (accepted @ losses).tolist(),
        "profit_czk": profits.tolist(),
        "best_threshold": float(np.median(thresholds[profits == profits.max()])),
        "threshold": threshold,
        "profit_at_threshold_czk": float(gains[scored.probabilities >= threshold].sum()),
    }
