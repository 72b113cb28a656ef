"""The transactions of one chunk: every account's book, month by month, in whole hundredths of CZK.

The bookings of a month are carried out in the order of their days, on all accounts at once, so that
each can look at the balance. What they are is `months`'s subject.
"""

from dataclasses import dataclass

import numpy as np

from loan_pipeline.bank.sample.arrays import Days, Integers
from loan_pipeline.bank.sample.habits import Habits
from loan_pipeline.bank.sample.households import Households
from loan_pipeline.bank.sample.months import Booking, Month, plan_month
from loan_pipeline.bank.sample.sizes import LAST_DAY, MONTHS, ChunkSizes

_YEARLY_INTEREST = 0.042
_PENALTY_SHARE = 0.004  # of the lowest balance, once a month
_FEES = np.array([1_460, 3_000, 10_000])  # by statement frequency, hundredths of CZK
_MONTHS_WITHOUT_FEE = 6
_LARGEST_WITHDRAWAL = 6_500_000
_STEP = 10_000  # cash comes in hundreds of CZK


@dataclass(frozen=True)
class Ledger:
    """Transactions by account, then in the order of booking; each array of shape (rows,).

    Attributes:
        account: position in the chunk.
        signed: hundredths of CZK, negative for debits.
        balance: afterwards, hundredths of CZK.
    """

    account: Integers
    day: Days
    kind: Integers
    signed: Integers
    balance: Integers


class _Book:
    """Balances so far, and the rows that led to them."""

    def __init__(self, accounts: int) -> None:
        self.balance = np.zeros(accounts, dtype=np.int64)
        self.lowest = np.zeros(accounts, dtype=np.int64)
        self._rows: list[tuple[Integers, ...]] = []

    def book(self, day: Integers, kind: Integers, signed: Integers) -> None:
        """Book where `signed` is not 0; `day` counts from 1993-01-01."""
        self.balance += signed
        np.minimum(self.lowest, self.balance, out=self.lowest)
        rows = np.flatnonzero(signed)
        self._rows.append((rows, day[rows], kind[rows], signed[rows], self.balance[rows]))

    def ledger(self) -> Ledger:
        account, day, kind, signed, balance = (
            np.concatenate(column) for column in zip(*self._rows, strict=True)
        )
        order = np.argsort(account.astype(np.uint16), kind="stable")
        first = np.datetime64("1993-01-01", "D")
        return Ledger(
            account[order], first + day[order], kind[order], signed[order], balance[order]
        )


def keep_books(
    sizes: ChunkSizes, homes: Households, habits: Habits, rng: np.random.Generator
) -> Ledger:
    """Simulate the chunk from January 1993 to December 1998."""
    book = _Book(len(homes))
    starts = (np.datetime64("1993-01", "M") + np.arange(MONTHS + 1)).astype("datetime64[D]")
    offsets = (starts - starts[0]).astype(np.int64)
    for month in range(MONTHS):
        opening_balance = book.balance.copy()
        book.lowest = np.minimum(book.balance, 0)
        _carry_out(book, plan_month(month, homes, habits, rng), int(offsets[month]))
        last = np.full(len(homes), offsets[month + 1] - 1)
        _close_month(book, homes, habits, opening_balance, month, last)
    return book.ledger()


def _carry_out(book: _Book, plan: Month, offset: int) -> None:
    for step in range(len(plan.day)):
        amount, share, floor = plan.amount[step], plan.share[step], plan.floor[step]
        excess = book.balance - floor
        draw = np.minimum((excess * share).astype(np.int64), _LARGEST_WITHDRAWAL) // _STEP * _STEP
        short = plan.target[step] - book.balance
        top_up = np.where(plan.target[step] > 0, -(-short // _STEP) * _STEP, 0)
        signed = np.where(
            share > 0,
            -np.maximum(draw, 0),
            np.where((amount > 0) | (excess + amount >= 0), amount, 0) + np.maximum(top_up, 0),
        )
        signed = np.where(plan.day[step] > 0, signed, 0)
        book.book(offset + plan.day[step] - 1, plan.kind[step], signed)


def _close_month(
    book: _Book,
    homes: Households,
    habits: Habits,
    opening_balance: Integers,
    month: int,
    last: Integers,
) -> None:
    """Fee, interest and penalty interest, on the month's last day."""
    n = len(homes)
    age = month - habits.opened_month
    fee = _FEES[homes.frequency]
    charged = (age >= _MONTHS_WITHOUT_FEE) & ((book.balance >= fee) | (book.balance < 0))
    book.book(last, np.full(n, Booking.FEE), np.where(charged, -fee, 0))
    mean = (opening_balance + book.balance) / 2
    interest = (np.maximum(mean, 0) * (_YEARLY_INTEREST / 12)).astype(np.int64)
    penalty = np.ceil(-book.lowest * _PENALTY_SHARE).astype(np.int64)
    book.book(last, np.full(n, Booking.INTEREST), np.where(age >= 0, interest, 0))
    book.book(last, np.full(n, Booking.PENALTY), -penalty)
