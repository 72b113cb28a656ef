"""Which loans are not paid off: near-rules for a few, a hidden reserve against the payment for all.

Owners who share the account with a second client pay; those who overdrew it hardly ever do.
"""

from dataclasses import dataclass

import numpy as np

from loan_pipeline.sources.sample.arrays import Days, Flags, Floats, Integers
from loan_pipeline.sources.sample.sizes import ChunkSizes

# A loan of the last weeks has had no time to go wrong.
_LAST_BAD_DAY = np.datetime64("1998-09-25", "D")
# How steeply default follows from a reserve that is small against the loan's payment.
_STEEPNESS = 2.6
_PAYMENT_WEIGHT = 1.15
_OVERDRAWN_BAD = 0.97
# Overdrawn loans and defaults are spread over years and payments.
_LATE = np.datetime64("1997-01-01", "D")
_SPREAD_OVER_YEARS = 4
_DEFAULTS_PER_LEVEL = 3


@dataclass(frozen=True)
class Applicants:
    """What decides on a loan's outcome; each array of shape (loans,), by ascending date.

    Attributes:
        payments: CZK a month.
        finished: the last payment was due by the end of 1998.
        solvency: of the household, standard normal.
        reserve: what the household keeps when much has to be paid, CZK.
    """

    date: Days
    payments: Integers
    finished: Flags
    solvency: Floats
    reserve: Floats


def draw_outcomes(
    sizes: ChunkSizes, loans: Applicants, rng: np.random.Generator
) -> tuple[Flags, Flags, Flags]:
    """Who shares the account, who overdraws it before the loan, and who does not pay it off."""
    second_client, overdrawn = _near_rules(sizes, loans, rng)
    risk = _PAYMENT_WEIGHT * np.log(loans.payments) - np.log(loans.reserve)
    risk = (risk - risk.mean()) / risk.std()
    may_default = ~second_client & (loans.date <= _LAST_BAD_DAY)
    bad = np.zeros(len(risk), dtype=bool)
    for group, quota in (
        (loans.finished, sizes.finished_bad),
        (~loans.finished, sizes.running_bad),
    ):
        chosen = np.flatnonzero(group)
        chance = _chances(risk[chosen], may_default[chosen], overdrawn[chosen], quota)
        bad[chosen] = _systematic(
            chance, risk[chosen], loans.payments[chosen], loans.date[chosen], rng
        )
    return second_client, overdrawn, bad


def _near_rules(
    sizes: ChunkSizes, loans: Applicants, rng: np.random.Generator
) -> tuple[Flags, Flags]:
    """Who shares the account with a second client, and who overdraws it: never the same."""
    n = len(loans.date)
    second_client = np.zeros(n, dtype=bool)
    second_client[rng.choice(n, min(n, sizes.second_clients_with_loan), replace=False)] = True
    weakness = -loans.solvency + 0.5 * rng.standard_normal(n)
    weakness[second_client | (loans.date > _LAST_BAD_DAY)] = -np.inf
    overdrawn = np.zeros(n, dtype=bool)
    able = np.flatnonzero(np.isfinite(weakness))
    for years in np.array_split(able, _SPREAD_OVER_YEARS):
        by_payment = years[np.argsort(loans.payments[years])]
        count = min(round(sizes.overdrawn_loans / _SPREAD_OVER_YEARS), len(years))
        for alike in np.array_split(by_payment, max(count, 1))[:count]:
            overdrawn[alike[np.argmax(weakness[alike])]] = True
    return second_client, overdrawn


def _chances(risk: Floats, may_default: Flags, overdrawn: Flags, quota: int) -> Floats:
    """Each loan's probability of default, such that they add up to `quota`."""
    low, high = -40.0, 40.0
    chance = np.zeros(len(risk))
    for _ in range(60):
        middle = (low + high) / 2
        chance = 1 / (1 + np.exp(-(middle + _STEEPNESS * risk)))
        chance = np.where(overdrawn, _OVERDRAWN_BAD, chance) * may_default
        low, high = (middle, high) if chance.sum() < quota else (low, middle)
    return chance


def _systematic(
    chance: Floats, risk: Floats, payments: Integers, date: Days, rng: np.random.Generator
) -> Flags:
    """Draw defaults by systematic sampling over early and late years, by risk and by payment.

    Equal steps through the cumulated chances keep the number exact, and spread the defaults over
    years, risks and payments as the chances say: two banks differ by their people, not by luck.
    """
    by_risk = np.lexsort((risk, date >= _LATE))
    level = np.cumsum(chance[by_risk]) // _DEFAULTS_PER_LEVEL
    order = by_risk[np.lexsort((payments[by_risk], level))]
    ticks = np.cumsum(chance[order])
    ticks *= np.rint(ticks[-1]) / max(ticks[-1], 1e-9)
    start = rng.random()
    hits = np.floor(ticks - start) > np.floor(np.concatenate(([0.0], ticks[:-1])) - start)
    bad = np.zeros(len(chance), dtype=bool)
    bad[order[hits]] = True
    return bad
