"""The population stability index, the one implementation: how far a distribution has moved.

Below 0.1 a population counts as stable, to 0.25 it is watched, above it is acted on, by the custom
of the field. With few values the index is large by chance alone, so what chance explains stands
beside it (Yurdakul and Naranjo, "Statistical properties of the population stability index", Journal
of Risk Model Validation 14(4), 2020).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from loan_pipeline.contracts.distribution import Distribution

WATCH, ACT = 0.1, 0.25
_BINS = 10
_PRIOR = 0.5  # added to each bin's count, so that an empty bin gives no infinite index


Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stability:
    """A population against its baseline.

    Attributes:
        index: the population stability index.
        by_chance: the index that only one comparison in a hundred exceeds where nothing changed.
        n: how many values were compared with the baseline.
    """

    index: float
    by_chance: float
    n: int

    def exceeds(self, limit: float) -> bool:
        """Whether the index is above a limit, by more than chance explains."""
        return self.index > max(limit, self.by_chance)


def distribution(values: Numbers, codes: int = 0) -> Distribution:
    """The baseline that later values are compared with.

    Args:
        values: shape [n]; NaN where missing.
        codes: how many codes the values are the numbers of; each is a bin. 0: the bins are tenths.
    """
    known = values[~np.isnan(values)]
    if codes:
        edges = np.arange(codes - 1, dtype=np.float64)
    elif len(known):
        edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))
    else:
        edges = known
    counts = _counts(values, edges)
    return Distribution(
        edges=tuple(edges.tolist()),
        shares=tuple((counts / max(len(values), 1)).tolist()),
        n=len(values),
    )


def stability(baseline: Distribution, values: Numbers, comparisons: int = 1) -> Stability:
    """Compare values with a baseline.

    Args:
        baseline: as of `distribution`.
        values: shape [n]; NaN where missing.
        comparisons: how many are made at once; the more, the further one of them moves by chance.
    """
    if not baseline.n or not len(values):
        return Stability(0.0, 0.0, len(values))
    before = np.array(baseline.shares) * baseline.n
    now = _counts(values, np.array(baseline.edges))
    used = (before + now) > 0
    expected, actual = (_shares(counts[used]) for counts in (before, now))
    index = float(((actual - expected) * np.log(actual / expected)).sum())
    bins = int(used.sum())
    chance = _chi_squared(bins - 1, comparisons) * (1 / baseline.n + 1 / len(values))
    return Stability(index, chance, len(values))


@cache
def _chi_squared(degrees: int, comparisons: int) -> float:
    from scipy.stats import chi2

    return float(chi2.ppf(1 - 0.01 / comparisons, degrees)) if degrees > 0 else 0.0


def _counts(values: Numbers, edges: Numbers) -> Numbers:
    """How many values fall into each bin; the last bin is of the missing ones."""
    missing = np.isnan(values)
    bins = np.searchsorted(edges, values[~missing], side="left")
    counts = np.bincount(bins, minlength=len(edges) + 1)
    return np.append(counts, missing.sum()).astype(np.float64)


def _shares(counts: Numbers) -> Numbers:
    shares: Numbers = (counts + _PRIOR) / (counts.sum() + _PRIOR * len(counts))
    return shares
