"""The loans of one chunk: who gets one, on which terms. How they end: see `defaults`."""

from dataclasses import dataclass

import numpy as np

from loan_pipeline.sources.sample.arrays import Days, Flags, Floats, Integers
from loan_pipeline.sources.sample.defaults import Applicants, draw_outcomes
from loan_pipeline.sources.sample.households import Households, Income
from loan_pipeline.sources.sample.sizes import LAST_DAY, ChunkSizes

DURATIONS = (12, 24, 36, 48, 60)
_PAYMENTS = (304, 9_910)  # CZK a month
_AMOUNTS = (4_980, 590_820)  # CZK
# A household is lent what it can pay back from this share of its income.
_LARGEST_SHARE = 0.55
_YOUNGEST, _OLDEST = 105, 696  # age of the account in days when a loan is granted


@dataclass(frozen=True)
class Loans:
    """One row per loan, ordered by date; each array of shape (loans,).

    Attributes:
        account: position of the account in the chunk.
        payments: CZK a month.
        finished: the last payment was due by the end of 1998.
        bad: not paid off, or in debt.
        second_client: the account has one.
        overdrawn: the household overdraws the account before the loan.
    """

    account: Integers
    date: Days
    duration: Integers
    payments: Integers
    finished: Flags
    bad: Flags
    second_client: Flags
    overdrawn: Flags

    def __len__(self) -> int:
        return len(self.account)

    @property
    def status(self) -> Integers:
        """Position in contracts.tables.LOAN_STATUSES."""
        return np.where(self.finished, 0, 2) + self.bad


def make_loans(sizes: ChunkSizes, homes: Households, rng: np.random.Generator) -> Loans:
    """Draw the loans of one chunk, with exactly the numbers of each status that `sizes` asks."""
    account, date = _applicants(sizes.loans, homes, rng)
    duration = _durations(date, sizes.finished, rng)
    payments = _payments(homes.income[account], duration, rng)
    finished = _ends(date, duration) <= LAST_DAY
    reserve = homes.reserve[account] * homes.income[account]
    second_client, overdrawn, bad = draw_outcomes(
        sizes, Applicants(date, payments, finished, homes.solvency[account], reserve), rng
    )
    return Loans(account, date, duration, payments, finished, bad, second_client, overdrawn)


def _applicants(count: int, homes: Households, rng: np.random.Generator) -> tuple[Integers, Days]:
    able = homes.income_kind != Income.PENSION
    able &= homes.opened <= LAST_DAY - np.timedelta64(_YOUNGEST + 60, "D")
    account = rng.choice(np.flatnonzero(able), count, replace=False)
    opened = homes.opened[account]
    oldest = np.minimum(_OLDEST, (LAST_DAY - np.timedelta64(23, "D") - opened).astype(np.int64))
    age = _YOUNGEST + (oldest - _YOUNGEST) * rng.beta(1.5, 1.4, count)
    date = opened + age.astype("timedelta64[D]")
    order = np.argsort(date, kind="stable")
    return account[order], date[order]


def _ends(date: Days, duration: Integers) -> Days:
    """The day the last payment is due: the same day of the month, the 28th at the latest."""
    month = date.astype("datetime64[M]")
    day = np.minimum((date - month.astype("datetime64[D]")).astype(np.int64), 27)
    ends: Days = (month + duration).astype("datetime64[D]") + day
    return ends


def _durations(date: Days, finished: int, rng: np.random.Generator) -> Integers:
    """Durations in months, all about equally frequent, of which exactly `finished` have ended."""
    duration = rng.choice(DURATIONS, len(date))
    ended = _ends(date, duration) <= LAST_DAY
    surplus = int(ended.sum()) - finished
    if surplus > 0:
        movable = np.flatnonzero(ended & (_ends(date, np.full(len(date), 60)) > LAST_DAY))
        duration[rng.choice(movable, surplus, replace=False)] = 60
    elif surplus < 0:
        movable = np.flatnonzero(~ended & (_ends(date, np.full(len(date), 12)) <= LAST_DAY))
        duration[rng.choice(movable, -surplus, replace=False)] = 12
    return duration


def _payments(income: Floats, duration: Integers, rng: np.random.Generator) -> Integers:
    """Monthly payments in whole CZK, spread over the bank's range, that the incomes can bear."""
    n = len(income)
    low, high = _PAYMENTS
    spread = np.quantile(rng.beta(1.3, 2.15, 20_000), (np.arange(n) + 0.5) / n)
    wanted = low + (high - low) * (spread - spread[0]) / (spread[-1] - spread[0])
    capacity = _LARGEST_SHARE * income
    free = np.ones(n, dtype=bool)
    payments = np.empty(n)
    # From the largest down: each goes to some household that can bear it, the very largest to one
    # of the longest loans.
    for payment in wanted[::-1]:
        able = free & (capacity >= payment)
        if free.all() and (able & (duration == max(DURATIONS))).any():
            able &= duration == max(DURATIONS)
        richest = np.argmax(np.where(free, capacity, -1))
        taker = rng.choice(np.flatnonzero(able)) if able.any() else richest
        payments[taker] = min(payment, capacity[taker])
        free[taker] = False
    smallest, largest = -(-_AMOUNTS[0] // duration), _AMOUNTS[1] // duration
    whole = np.clip(payments.round().astype(np.int64), np.maximum(low, smallest), largest)
    # The least of the shortest loans and the least of the others stand at the range's edge.
    for edge in (duration == min(DURATIONS), duration != min(DURATIONS)):
        least = np.argmin(np.where(edge, whole, high))
        whole[least] = max(low, smallest[least])
    return whole
