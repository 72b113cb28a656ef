"""Who holds the accounts: people, income, and the solvency that no table shows.

Solvency is what the whole bank turns on: it shows in the balances kept, in the regularity of the
income and, with the terms of a loan, in whether the loan is paid off.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from loan_pipeline.sources.sample.arrays import Days, Flags, Floats, Integers
from loan_pipeline.sources.sample.districts import Districts
from loan_pipeline.sources.sample.sizes import FIRST_DAY, ChunkSizes

# Shares of accounts opened in 1993 … 1997: a good start, two slow years, then growth.
_OPENED = (0.24, 0.10, 0.15, 0.30, 0.21)
_FREQUENCIES = (0.926, 0.053, 0.021)
_INCOMES = (0.612, 0.217, 0.171)  # as `Income`


class Income(IntEnum):
    """How a household's main income arrives."""

    CASH = 0
    TRANSFER = 1
    PENSION = 2


@dataclass(frozen=True)
class Households:
    """One row per account, each array of shape (accounts,).

    Attributes:
        solvency: standard normal; the higher, the sounder.
        income: main income, CZK a month.
        cushion: the balance, in monthly incomes, below which the household stops spending.
        reserve: what is left of it, in monthly incomes, when much has to be paid.
    """

    opened: Days
    frequency: Integers  # position in contracts.tables.FREQUENCIES
    district: Integers  # position
    owner_district: Integers
    owner_birth: Days
    owner_female: Flags
    solvency: Floats
    income: Floats
    income_kind: Integers
    cushion: Floats
    reserve: Floats

    def __len__(self) -> int:
        return len(self.opened)


def make_households(
    sizes: ChunkSizes, districts: Districts, rng: np.random.Generator
) -> Households:
    """Draw the households of one chunk."""
    n = sizes.accounts
    opened = _opening_days(n, rng)
    kind = _dealt(_INCOMES, n, rng)
    pensioner = kind == Income.PENSION
    years = np.where(pensioner, rng.uniform(57, 80, n), 18.1 + 44 * rng.beta(1.1, 1.25, n))
    district = rng.choice(len(districts.salary), n, p=districts.weights)
    moved = rng.random(n) < 0.1
    solvency = rng.standard_normal(n)
    level = np.choose(kind, (15_500.0, 29_000.0, 5_600.0))
    spread = np.choose(kind, (0.42, 0.36, 0.22))
    local = (districts.salary[district] / 9_000) ** 0.5
    income = level * local * np.exp(spread * rng.standard_normal(n) + 0.06 * solvency)
    income = income.clip(2_500, 75_000).round()
    # Higher incomes do not keep more in proportion.
    reserve = np.exp(-0.8 + 0.75 * solvency + 0.1 * rng.standard_normal(n))
    reserve = (reserve * (income / 20_000) ** -0.5).clip(0.02, 0.8)
    cushion = np.exp(0.3 - 0.4 * solvency + 0.6 * rng.standard_normal(n)).clip(0.3, 3)
    return Households(
        opened=opened,
        frequency=_dealt(_FREQUENCIES, n, rng),
        district=district,
        owner_district=np.where(
            moved, rng.choice(len(districts.salary), n, p=districts.weights), district
        ),
        owner_birth=opened - (years * 365.25).astype("timedelta64[D]"),
        owner_female=rng.random(n) < 0.49,
        solvency=solvency,
        income=income,
        income_kind=kind,
        cushion=np.maximum(cushion, 1.2 * reserve),
        reserve=reserve,
    )


def _opening_days(n: int, rng: np.random.Generator) -> Days:
    year = np.datetime64("1993", "Y") + _dealt(_OPENED, n, rng).astype("timedelta64[Y]")
    # No account is opened in the last days of a year.
    opened: Days = year.astype("datetime64[D]") + rng.integers(0, 362, n).astype("timedelta64[D]")
    opened[0] = FIRST_DAY
    return opened


def _dealt(shares: tuple[float, ...], n: int, rng: np.random.Generator) -> Integers:
    """Positions in `shares`, as often as these say and in random order. Shape (n,)."""
    ends = np.cumsum(shares) * n
    return rng.permutation(np.searchsorted(ends, np.arange(n) + 0.5)).clip(0, len(shares) - 1)
