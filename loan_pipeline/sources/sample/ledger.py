"""The transactions of one chunk: every account's book, month by month, in whole hundredths of CZK.

The bookings of a month are carried out in their order, on all accounts at once, so that each can
look at the balance. What they are is `months`'s subject.
"""

from dataclasses import dataclass

import numpy as np

from loan_pipeline.sources.sample.arrays import Integers
from loan_pipeline.sources.sample.habits import Habits
from loan_pipeline.sources.sample.households import Households
from loan_pipeline.sources.sample.months import CROWN, NOTES, Booking, Month, plan_month
from loan_pipeline.sources.sample.sizes import FIRST_DAY, MONTHS

_YEARLY_INTEREST = 0.042
_PENALTY_SHARE = 0.004  # of the month's lowest balance
_FEES = np.array([1_460, 3_000, 10_000])  # hundredths of CZK, as contracts.tables.FREQUENCIES
_MONTHS_WITHOUT_FEE = 6
_LARGEST_WITHDRAWAL = 65_000 * CROWN


@dataclass(frozen=True)
class Ledger:
    """Transactions by account, then in the order of booking; each array of shape (rows,).

    Attributes:
        account: position in the chunk.
        day: days since `sizes.FIRST_DAY`.
        kind: `Booking`.
        signed: hundredths of CZK, negative for debits.
        balance: afterwards, hundredths of CZK.
    """

    account: Integers
    day: Integers
    kind: Integers
    signed: Integers
    balance: Integers

    def __len__(self) -> int:
        return len(self.account)


def keep_books(homes: Households, habits: Habits, rng: np.random.Generator) -> Ledger:
    """Simulate all accounts from January 1993 to December 1998."""
    book = _Book(len(homes))
    starts = (FIRST_DAY.astype("datetime64[M]") + np.arange(MONTHS + 1)).astype("datetime64[D]")
    offsets = (starts - starts[0]).astype(np.int64)
    for month in range(MONTHS):
        before = book.balance.copy()
        book.lowest = np.minimum(before, 0)
        _carry_out(book, plan_month(month, homes, habits, rng), offsets[month])
        _close(
            book, before, _FEES[homes.frequency], month - habits.opened_month, offsets[month + 1]
        )
    return book.ledger()


class _Book:
    """Balances so far, and the rows that led to them."""

    def __init__(self, accounts: int) -> None:
        self.balance = np.zeros(accounts, dtype=np.int64)
        self.lowest = np.zeros(accounts, dtype=np.int64)
        self._rows: list[tuple[Integers, ...]] = []

    def book(self, day: Integers, kind: Integers | int, signed: Integers) -> None:
        """Book where `signed` is not 0; `day` counts from the first day."""
        self.balance += signed
        np.minimum(self.lowest, self.balance, out=self.lowest)
        rows = np.flatnonzero(signed)
        kinds = np.broadcast_to(kind, len(signed))
        self._rows.append((rows, day[rows], kinds[rows], signed[rows], self.balance[rows]))

    def ledger(self) -> Ledger:
        columns = [np.concatenate(column) for column in zip(*self._rows, strict=True)]
        order = np.argsort(columns[0].astype(np.uint16), kind="stable")  # 16 bits: a radix sort
        return Ledger(*(column[order] for column in columns))


def _carry_out(book: _Book, plan: Month, first_day: int) -> None:
    for step in range(len(plan.day)):
        amount, share, target = plan.amount[step], plan.share[step], plan.target[step]
        excess = book.balance - plan.floor[step]
        draw = np.clip((excess * share).astype(np.int64), 0, _LARGEST_WITHDRAWAL) // NOTES * NOTES
        top_up = np.where(target > 0, np.maximum(-((book.balance - target) // NOTES) * NOTES, 0), 0)
        fixed = np.where((amount > 0) | (excess + amount >= 0), amount, 0)
        signed = np.where(plan.day[step] > 0, fixed + top_up - draw, 0)
        book.book(first_day + plan.day[step] - 1, plan.kind[step], signed)


def _close(book: _Book, before: Integers, fee: Integers, age: Integers, next_first: int) -> None:
    """Interest, fee and penalty interest, on the month's last day."""
    last_day = np.full(len(fee), next_first - 1)
    mean = (np.maximum(before, 0) + np.maximum(book.balance, 0)) / 2
    interest = (mean * (_YEARLY_INTEREST / 12)).astype(np.int64)
    book.book(last_day, Booking.INTEREST, interest)
    # A fee alone brings no balance below zero.
    charged = (age >= _MONTHS_WITHOUT_FEE) & ((book.balance >= fee) | (book.balance < 0))
    penalty = np.ceil(-book.lowest * _PENALTY_SHARE).astype(np.int64)
    book.book(last_day, Booking.FEE, -fee * charged)
    book.book(last_day, Booking.PENALTY, -penalty)
