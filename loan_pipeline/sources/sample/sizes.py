"""How large a sample bank is, and where its keys lie. The figures are those of the PKDD'99 bank.

A bank of scale n is made of n independent chunks, each a whole bank of scale 1 with keys of its
own; a fraction of a bank is one smaller chunk.
"""

import math
from dataclasses import dataclass

import numpy as np

from loan_pipeline.sources.sample.arrays import Days, Integers

ACCOUNTS = 4_500
FIRST_DAY = np.datetime64("1993-01-01", "D")
LAST_DAY = np.datetime64("1998-12-31", "D")
MONTHS = 72
_SMALLEST_SCALE = 0.01


@dataclass(frozen=True)
class ChunkSizes:
    """Row counts of one chunk, exact but for `transactions`, which the books decide."""

    accounts: int
    second_clients: int
    second_clients_with_loan: int
    cards: int
    household_orders: int
    other_orders: int
    insurance_orders: int
    leasing_orders: int
    loans: int
    finished: int
    finished_bad: int
    running_bad: int
    overdrawn_loans: int
    transactions: int


_WHOLE = ChunkSizes(
    accounts=ACCOUNTS,
    second_clients=869,
    second_clients_with_loan=145,
    cards=892,
    household_orders=3_326,
    other_orders=1_588,
    insurance_orders=540,
    leasing_orders=335,
    loans=682,
    finished=234,
    finished_bad=31,
    running_bad=45,
    overdrawn_loans=28,
    transactions=1_056_320,
)


def chunk_sizes(scale: float) -> list[ChunkSizes]:
    """One entry per chunk of a bank of `scale`.

    Raises:
        ValueError: the scale leaves too few accounts for the rarest kinds of loan.
    """
    if not (math.isfinite(scale) and scale >= _SMALLEST_SCALE):
        raise ValueError(f"the scale must be at least {_SMALLEST_SCALE}")
    accounts = round(scale * ACCOUNTS)
    whole, rest = divmod(accounts, ACCOUNTS)
    return [_WHOLE] * whole + ([_part(rest)] if rest else [])


def _part(accounts: int) -> ChunkSizes:
    share = accounts / ACCOUNTS
    counts = {
        name: max(1, round(value * share))
        for name, value in vars(_WHOLE).items()
        if name != "accounts"
    }
    return ChunkSizes(accounts=accounts, **counts)


@dataclass(frozen=True)
class KeySpace:
    """Keys of one table: the first key, the largest gap between keys, keys set aside per chunk."""

    first: int
    gap: int
    span: int


KEYS = {
    "account": KeySpace(1, 4, 12_000),
    "client": KeySpace(1, 4, 15_000),
    "disp": KeySpace(1, 4, 15_000),
    "card": KeySpace(1, 2, 1_500),
    "loan": KeySpace(4_959, 6, 3_000),
    "order": KeySpace(29_401, 4, 18_000),
    "trans": KeySpace(1, 6, 4_000_000),
}


def spaced_keys(table: str, chunk: int, count: int, rng: np.random.Generator) -> Integers:
    """Ascending keys with gaps, as a bank has them that issued some to others. Shape (count,)."""
    space = KEYS[table]
    steps = rng.integers(1, space.gap + 1, count)
    steps[:1] = 0
    return space.first + chunk * space.span + np.cumsum(steps)


def month_of(days: Days) -> Integers:
    """Months since January 1993. Same shape as `days`."""
    return (days.astype("datetime64[M]") - np.datetime64("1993-01", "M")).astype(np.int64)
