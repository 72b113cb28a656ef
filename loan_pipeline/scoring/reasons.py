"""Why a score is what it is: Shapley values of the features against the typical paid-off loan.

A coalition's value is the model's answer with the coalition's features taken from the applicant and
the others from the baseline. Features that equal the baseline take no part. Few players are played
out in full; for more, the values are the weighted regression over coalitions of Lundberg and Lee,
"A unified approach to interpreting model predictions" (2017), each coalition together with its
complement, which is exact for models whose features interact in pairs. It is one model call.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

Model = Callable[[NDArray[np.float32]], NDArray[np.float64]]

_EXACT_PLAYERS = 7  # 128 rows, as many as the regression takes
_PAIRS = 64  # of a coalition and its complement, where there are not more players
_SEED = 19990909


def contributions(
    model: Model, row: NDArray[np.float32], baseline: NDArray[np.float32]
) -> tuple[NDArray[np.float64], float, float]:
    """Split the difference between a row's score and the baseline's among the features.

    Args:
        model: probabilities [n] of rows [n, features].
        row: the applicant, shape [features]; null is NaN.
        baseline: the typical paid-off loan, shape [features].

    Returns:
        The contributions, shape [features], which sum to the difference; the row's probability;
        the baseline's probability.
    """
    differs = np.flatnonzero((row != baseline) & ~(np.isnan(row) & np.isnan(baseline)))
    parts = np.zeros(row.size)
    if differs.size == 0:
        probability = float(model(row[None, :])[0])
        return parts, probability, probability
    masks, weights = _plan(differs.size)
    rows = np.repeat(baseline[None, :], len(masks), axis=0)
    rows[:, differs] = np.where(masks, row[differs], baseline[differs])
    answers = model(rows)
    parts[differs] = weights @ answers
    return parts, float(answers[-1]), float(answers[0])


@lru_cache(maxsize=256)
def _plan(players: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """How to explain that many features.

    Returns:
        Coalitions [n, players], the empty one first and the full one last; the weights
        [players, n] that turn their answers into contributions.
    """
    if players <= _EXACT_PLAYERS:
        return _exact(players)
    return _regression(players, max(_PAIRS, players))


def _exact(players: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """All coalitions, with the weights of Shapley's formula."""
    masks = _coalitions(players, range(players + 1))
    sizes = masks.sum(axis=1)
    joined = np.array([1 / (players * comb(players - 1, s - 1)) if s else 0.0 for s in sizes])
    left = np.array([1 / (players * comb(players - 1, s)) if s < players else 0.0 for s in sizes])
    return masks, np.where(masks.T, joined, -left)


def _regression(players: int, pairs: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Pairs of coalitions, small ones first and all of a size while they last, then a sample."""
    masks = np.empty((0, players), dtype=bool)
    kernel = np.empty(0)
    size = 1
    while 2 * size < players and len(masks) + comb(players, size) <= pairs:
        stratum = _coalitions(players, [size])
        masks = np.concatenate([masks, stratum])
        kernel = np.append(kernel, np.full(len(stratum), _mass(players, size) / len(stratum)))
        size += 1
    if drawn := pairs - len(masks):
        sizes = np.arange(size, players // 2 + 1)
        # A coalition of half the players is its complement's peer: the size counts once.
        mass = np.array(
            [_mass(players, s) / (2 if 2 * s == players else 1) for s in sizes.tolist()]
        )
        generator = np.random.default_rng(_SEED)
        sample = np.zeros((drawn, players), dtype=bool)
        for mask, members in zip(
            sample, generator.choice(sizes, size=drawn, p=mass / mass.sum()), strict=True
        ):
            mask[generator.permutation(players)[:members]] = True
        masks = np.concatenate([masks, sample])
        kernel = np.append(kernel, np.full(drawn, mass.sum() / drawn))
    inner = np.concatenate([masks, ~masks])
    return _solved(inner, np.concatenate([kernel, kernel]))


def _solved(
    inner: NDArray[np.bool_], kernel: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """The regression's solution as weights; contributions are held to sum to the difference."""
    players = inner.shape[1]
    masks = np.concatenate([np.zeros((1, players), bool), inner, np.ones((1, players), bool)])
    design = inner.astype(np.float64)
    moments = np.linalg.pinv(design.T @ (kernel[:, None] * design))
    answers = np.zeros((players, len(masks)))
    answers[:, 1:-1] = design.T * kernel
    answers[:, 0] = -answers.sum(axis=1)
    difference = np.zeros(len(masks))
    difference[[0, -1]] = -1, 1
    free = moments @ answers
    spread = moments.sum(axis=1)
    return masks, free - np.outer(spread, free.sum(axis=0) - difference) / spread.sum()


def _coalitions(players: int, sizes: Iterable[int]) -> NDArray[np.bool_]:
    members = [set(group) for size in sizes for group in combinations(range(players), size)]
    return np.array([[player in group for player in range(players)] for group in members])


def _mass(players: int, size: int) -> float:
    """The Shapley kernel's weight of all coalitions of a size together."""
    return (players - 1) / (size * (players - size))
