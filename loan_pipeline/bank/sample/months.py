"""What may be booked on each account in one month, from the households' habits."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from loan_pipeline.bank.sample.arrays import Floats, Integers
from loan_pipeline.bank.sample.habits import STANDING, Habits
from loan_pipeline.bank.sample.households import Households, Income


class Booking(IntEnum):
    """Kinds of transactions; `tables` says how each is written."""

    OPENING = 0
    CASH_IN = 1
    TRANSFER_IN = 2
    PENSION = 3
    INTEREST = 4
    CASH_OUT = 5
    CASH_DEBIT = 6
    CARD = 7
    HOUSEHOLD = 8
    OTHER = 9
    INSURANCE = 10
    LEASING = 11
    LOAN = 12
    HOUSEHOLD_CASH = 13
    FEE = 14
    PENALTY = 15


_INCOME = np.array([Booking.CASH_IN, Booking.TRANSFER_IN, Booking.PENSION])
_STANDING = (Booking.HOUSEHOLD, Booking.OTHER, Booking.INSURANCE, Booking.LEASING)
_WITHDRAWALS = 4


@dataclass(frozen=True)
class Month:
    """What may be booked in one month: arrays of shape (bookings, accounts).

    Attributes:
        day: of the month, from 1; 0 where nothing may be booked.
        kind: `Booking`.
        amount: a fixed sum in hundredths of CZK, negative for debits.
        share: for draws, the share of what the balance exceeds `floor` by; 0 elsewhere.
        floor: hundredths of CZK; what would leave less is not booked.
        target: for top-ups, the balance to reach; 0 elsewhere.
    """

    day: Integers
    kind: Integers
    amount: Integers
    share: Floats
    floor: Integers
    target: Integers


class _Slots:
    """Collects bookings, one per account and call."""

    def __init__(self, accounts: int) -> None:
        self._n = accounts
        self._rows: list[tuple[Integers, ...]] = []

    def add(
        self,
        kind: Integers | int,
        day: Integers,
        *,
        amount: Integers | int = 0,
        share: Floats | float = 0.0,
        floor: Integers | int = 0,
        target: Integers | int = 0,
    ) -> None:
        row = (day, kind, amount, share, floor, target)
        self._rows.append(tuple(np.broadcast_to(value, self._n) for value in row))

    def month(self, opened_after: Integers) -> Month:
        """The month in the order of its days, without what comes before an account's opening."""
        day, kind, amount, share, floor, target = (
            np.stack(values) for values in zip(*self._rows, strict=True)
        )
        day = np.where((day > opened_after) | (kind == Booking.OPENING), day, 0)
        order = np.argsort(day, axis=0, kind="stable")
        sort = (np.take_along_axis(values, order, 0) for values in (day, kind, amount, share))
        return Month(*sort, *(np.take_along_axis(values, order, 0) for values in (floor, target)))


def plan_month(month: int, homes: Households, habits: Habits, rng: np.random.Generator) -> Month:
    """What may be booked in `month` (months since January 1993)."""
    n = len(homes)
    slots = _Slots(n)
    opening = habits.opened_month == month
    slots.add(
        Booking.OPENING,
        np.where(opening, habits.opened_day, 0),
        amount=100 * 100 * rng.integers(2, 12, n),
        floor=-(10**9),
    )
    troubled = month >= habits.troubled_from
    overdraws = habits.overdraws[month] | (troubled & (rng.random(n) < 0.55))
    limit = -(habits.income * rng.uniform(0.08, 0.4, n)).astype(np.int64)
    lowest = np.where(overdraws, limit, 0)
    _add_income(slots, homes, habits, troubled, month, rng)
    _add_fixed(slots, habits, troubled, lowest, month)
    _add_draws(slots, homes, habits, (troubled, overdraws, lowest), month, rng)
    before = np.where(opening, habits.opened_day, np.where(habits.opened_month > month, 99, 0))
    return slots.month(before)


def _add_income(slots, homes, habits, troubled, month, rng) -> None:  # type: ignore[no-untyped-def]
    n = len(homes)
    paid = rng.random(n) >= np.where(troubled, 0.35, habits.skips_income)
    size = habits.income * np.where(troubled, 0.5, 1.0)
    by_hand = homes.income_kind == Income.CASH
    # Cash comes in as the household sees fit, wages and pensions as agreed.
    size = np.where(by_hand, size * np.exp(0.08 * rng.standard_normal(n)), size)
    december = (month % 12 == 11) & (homes.income_kind != Income.PENSION)
    size = np.where(december & (homes.solvency > -0.5), size * 1.4, size)
    slots.add(
        _INCOME[homes.income_kind],
        np.where(paid, habits.income_day, 0),
        amount=size.astype(np.int64) // 10_000 * 10_000 + by_hand * 0 + 0,
    )
    extra = rng.random(n) < 0.215
    size = (habits.income * rng.uniform(0.02, 0.35, n)).astype(np.int64) // 10_000 * 10_000
    slots.add(
        Booking.CASH_IN, np.where(extra, rng.integers(2, 28, n), 0), amount=np.maximum(size, 10_000)
    )


def _add_fixed(slots, habits, troubled, lowest, month) -> None:  # type: ignore[no-untyped-def]
    for row in range(len(STANDING)):
        due = (habits.standing_amount[row] > 0) & (habits.standing_from[row] <= month)
        slots.add(
            _STANDING[row],
            np.where(due, habits.standing_day[row], 0),
            amount=-habits.standing_amount[row],
            floor=lowest,
        )
    due = (habits.household_cash > 0) & (habits.standing_from[0] <= month)
    slots.add(
        Booking.HOUSEHOLD_CASH,
        np.where(due, 16, 0),
        amount=-habits.household_cash,
        floor=lowest,
    )
    due = (habits.loan_from <= month) & (month <= habits.loan_until)
    day = np.where(due, habits.payment_day, 0)
    slots.add(Booking.CASH_IN, np.where(troubled, 0, day), target=habits.payment + 30_000)
    slots.add(Booking.LOAN, day, amount=-habits.payment, floor=lowest)


def _add_draws(slots, homes, habits, state, month, rng) -> None:  # type: ignore[no-untyped-def]
    n = len(homes)
    troubled, overdraws, lowest = state
    keeps = habits.income * homes.cushion * np.exp(0.15 * rng.standard_normal(n))
    repaying = (habits.loan_from - 1 <= month) & (month <= habits.loan_until)
    keeps = np.where(repaying, keeps + habits.payment, keeps)
    shock = rng.random(n) < 0.03
    keeps = np.where(shock, 0.3 * keeps, np.where(troubled, 0.04 * keeps, keeps))
    floor = np.where(overdraws, lowest, keeps.astype(np.int64) + 20_000)
    restraint = np.exp(0.25 * homes.solvency)
    for _ in range(_WITHDRAWALS):
        wanted = rng.random(n) < habits.activity / _WITHDRAWALS
        kind = np.where(rng.random(n) < 0.061, Booking.CASH_DEBIT, Booking.CASH_OUT)
        slots.add(
            kind,
            np.where(wanted, rng.integers(1, 29, n), 0),
            share=rng.beta(1.6, 2.2, n) ** restraint,
            floor=floor,
        )
    # Whoever overdraws does so in full, after the bills.
    slots.add(
        Booking.CASH_OUT,
        np.where(overdraws | shock, rng.integers(17, 29, n), 0),
        share=1.0,
        floor=floor,
    )
    by_card = (habits.card_from <= month) & (rng.random(n) < 0.62)
    slots.add(
        Booking.CARD,
        np.where(by_card, rng.integers(1, 29, n), 0),
        amount=-10_000 * rng.integers(2, 46, n),
        floor=np.maximum(lowest, 0),
    )
