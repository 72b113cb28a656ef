"""Why a score is what it is: Shapley values of the features against the reference loan.

A coalition's value is the model's answer with the coalition's features taken from the applicant and
the others from the baseline. Features that equal the baseline take no part. For few features all
coalitions are computed. For more, the values are means over permutations: evenly spaced shifts of
one order, so that no feature always comes early, each with its reverse, which is exact for models
whose features interact in pairs (Mitchell et al., "Sampling permutations for Shapley value
estimation", 2022, on both). Everything is one model call.

Graphs of forests compute their reasons themselves, exactly; this is for all other models.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

Model = Callable[[NDArray[np.float32]], NDArray[np.float64]]

_EXACT_PLAYERS = 7  # 128 rows, as many as the orders take
_ROWS = 128
_FEWEST_PAIRS = 2  # a single order with its reverse is three times as far off
_STRIDE = 5  # neighbours in the contract are alike: keep them apart in the orders


def contributions(
    model: Model, row: NDArray[np.float32], baseline: NDArray[np.float32]
) -> tuple[NDArray[np.float64], float]:
    """Split the difference between a row's score and the baseline's among the features.

    Args:
        model: probabilities [n] of rows [n, features].
        row: the applicant, shape [features]; null is NaN.
        baseline: the reference loan, shape [features].

    Returns:
        The contributions, shape [features], which sum to the difference; the row's probability.
    """
    differs = np.flatnonzero((row != baseline) & ~(np.isnan(row) & np.isnan(baseline)))
    parts = np.zeros(row.size)
    if differs.size == 0:
        probability = float(model(row[None, :])[0])
        return parts, probability
    masks, weights = _plan(differs.size)
    rows = np.repeat(baseline[None, :], len(masks), axis=0)
    rows[:, differs] = np.where(masks, row[differs], baseline[differs])
    answers = model(rows)
    parts[differs] = weights @ answers
    return parts, float(answers[-1])


@lru_cache(maxsize=256)
def _plan(players: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """How to explain that many features.

    Returns:
        Coalitions [n, players], the empty one first and the full one last; the weights
        [players, n] that turn their answers into contributions.
    """
    return _exact(players) if players <= _EXACT_PLAYERS else _in_orders(players)


def _exact(players: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """All coalitions, with the weights of Shapley's formula."""
    groups = [set(g) for size in range(players + 1) for g in combinations(range(players), size)]
    masks = np.array([[player in group for player in range(players)] for group in groups])
    sizes = masks.sum(axis=1)
    joined = np.array([1 / (players * comb(players - 1, s - 1)) if s else 0.0 for s in sizes])
    left = np.array([1 / (players * comb(players - 1, s)) if s < players else 0.0 for s in sizes])
    return masks, np.where(masks.T, joined, -left)


def _in_orders(players: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """The coalitions on the way of each order, with the weights of a mean over orders."""
    inner = players - 1
    pairs = min(players, max(_FEWEST_PAIRS, _ROWS // (2 * inner)))
    spread = np.concatenate([np.arange(start, players, _STRIDE) for start in range(_STRIDE)])
    orders = [np.roll(spread, round(number * players / pairs)) for number in range(pairs)]
    orders += [order[::-1] for order in orders]
    masks = np.zeros((2 + len(orders) * inner, players), dtype=bool)
    masks[-1] = True
    weights = np.zeros((players, len(masks)))
    share = 1 / len(orders)
    for number, order in enumerate(orders):
        before = 0
        for position, player in enumerate(order):
            after = len(masks) - 1 if position == inner else 1 + number * inner + position
            masks[after, order[: position + 1]] = True
            weights[player, after] += share
            weights[player, before] -= share
            before = after
    return masks, weights
