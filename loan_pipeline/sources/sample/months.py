"""What may be booked on each account in one month, from the households' habits."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from loan_pipeline.sources.sample.arrays import Floats, Integers
from loan_pipeline.sources.sample.habits import STANDING, Habits
from loan_pipeline.sources.sample.households import Households, Income


class Booking(IntEnum):
    """Kinds of transactions; `transactions` says how each is written."""

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


CROWN = 100  # amounts are hundredths of CZK
NOTES = 100 * CROWN  # cash comes and goes in hundreds of CZK
_BY_INCOME = np.array([Booking.CASH_IN, Booking.TRANSFER_IN, Booking.PENSION])  # as `Income`
_BY_ORDER = (Booking.HOUSEHOLD, Booking.OTHER, Booking.INSURANCE, Booking.LEASING)  # as `STANDING`
_WITHDRAWALS = 4  # at most in a month, apart from those before payday
_AFTER_ANY_DAY = 99


@dataclass(frozen=True)
class Month:
    """What may be booked in one month, in this order: arrays of shape (bookings, accounts).

    Attributes:
        day: of the month, from 1; 0 where nothing may be booked.
        kind: `Booking`.
        amount: a fixed sum in hundredths of CZK, negative for debits.
        share: for draws, the share of what the balance exceeds `floor` by; 0 elsewhere.
        floor: hundredths of CZK; a debit that would leave less is not booked.
        target: for top-ups, the balance to reach; 0 elsewhere.
    """

    day: Integers
    kind: Integers
    amount: Integers
    share: Floats
    floor: Integers
    target: Integers


def plan_month(month: int, homes: Households, habits: Habits, rng: np.random.Generator) -> Month:
    """What may be booked in `month` (months since January 1993)."""
    plan = _Plan(month, homes, habits, rng)
    plan.opening()
    plan.income()
    plan.loan_payment()
    plan.bills()
    plan.spending()
    return plan.month()


class _Plan:
    """Collects a month's bookings, one per account and call of `_add`."""

    def __init__(
        self, month: int, homes: Households, habits: Habits, rng: np.random.Generator
    ) -> None:
        n = len(homes)
        self._month, self._homes, self._habits, self._rng, self._n = month, homes, habits, rng, n
        self._rows: list[list[Integers | Floats]] = []
        self._opens = habits.opened_month == month
        self._troubled = month >= habits.troubled_from
        self._overdraws = habits.overdraws[month] | (
            self._troubled & (rng.random(n) < habits.overdraft_chance)
        )
        limit = (habits.income * rng.uniform(0.08, 0.4, n)).astype(np.int64)
        self._lowest = np.where(self._overdraws, -limit, 0)

    def opening(self) -> None:
        """The deposit that opens an account."""
        day = np.where(self._opens, self._habits.opened_day, 0)
        self._add(Booking.OPENING, day, amount=NOTES * self._rng.integers(2, 12, self._n))

    def income(self) -> None:
        """Main income, unless it fails to come; now and then some cash besides."""
        homes, habits, rng, n = self._homes, self._habits, self._rng, self._n
        comes = rng.random(n) >= np.where(self._troubled, 0.35, habits.skips_income)
        size = habits.income * np.where(self._troubled, 0.5, 1.0)
        # Cash is brought as the household sees fit, wages and pensions come as agreed.
        by_hand = homes.income_kind == Income.CASH
        size = np.where(by_hand, size * np.exp(0.08 * rng.standard_normal(n)), size)
        extra_salary = (homes.income_kind != Income.PENSION) & (homes.solvency > -0.5)
        size = np.where(extra_salary & (self._month % 12 == 11), size * 1.4, size)
        self._add(_BY_INCOME[homes.income_kind], habits.income_day * comes, amount=_in_notes(size))
        besides = rng.random(n) < 0.265
        size = np.maximum(habits.income * rng.uniform(0.02, 0.35, n), NOTES)
        self._add(Booking.CASH_IN, rng.integers(2, 28, n) * besides, amount=_in_notes(size))

    def loan_payment(self) -> None:
        """The loan's payment. Who copes brings the cash that is missing; others let it fail."""
        habits = self._habits
        due = (habits.loan_from <= self._month) & (self._month <= habits.loan_until)
        # The household's first troubled month always lacks the payment, later ones often.
        often = self._troubled & (self._rng.random(self._n) < 0.35)
        fails = often | (habits.troubled_from == self._month)
        day = habits.payment_day * (due & ~fails)
        needed = habits.payment + 300 * CROWN
        self._add(Booking.CASH_IN, day * ~self._troubled, target=needed)
        self._add(Booking.LOAN, day, amount=-habits.payment, floor=self._lowest)

    def bills(self) -> None:
        """Permanent orders, and household bills paid in cash."""
        habits = self._habits
        for row in range(len(STANDING)):
            due = habits.standing_from[row] <= self._month
            amount = -habits.standing_amount[row]
            self._add(
                _BY_ORDER[row], habits.standing_day[row] * due, amount=amount, floor=self._lowest
            )
        due = habits.standing_from[0] <= self._month
        amount = -habits.household_cash
        self._add(Booking.HOUSEHOLD_CASH, 16 * due, amount=amount, floor=self._lowest)

    def spending(self) -> None:
        """Cash withdrawals and cards, from what the household does not keep."""
        homes, habits, rng, n = self._homes, self._habits, self._rng, self._n
        keeps = habits.income * homes.cushion * np.exp(0.15 * rng.standard_normal(n))
        repays = (habits.loan_from - 1 <= self._month) & (self._month <= habits.loan_until)
        keeps = np.where(self._troubled, 0.04 * keeps, keeps + habits.payment * repays)
        floor = np.where(self._overdraws, self._lowest, keeps.astype(np.int64) + 2 * NOTES)
        restraint = np.exp(0.25 * homes.solvency)
        for _ in range(_WITHDRAWALS):
            wanted = rng.random(n) < habits.activity / _WITHDRAWALS
            kind = np.where(rng.random(n) < 0.08, Booking.CASH_DEBIT, Booking.CASH_OUT)
            share = rng.beta(1.6, 2.2, n) ** restraint
            self._add(kind, rng.integers(1, 28, n) * wanted, share=share, floor=floor)
        # Once a quarter much is paid just before payday: it shows how deep a household falls.
        short = (np.arange(n) + self._month) % 3 == 0
        reserve = (habits.income * homes.reserve).astype(np.int64)
        day = (habits.income_day - 1 - np.arange(n) % 4) * short
        for _ in range(2):  # a bank's counter hands out only so much at once
            self._add(Booking.CASH_OUT, day, share=1.0, floor=np.minimum(floor, reserve))
        # Overdrawn accounts are overdrawn in full, after the bills.
        day = rng.integers(17, 28, n) * self._overdraws
        self._add(Booking.CASH_OUT, day, share=1.0, floor=floor)
        by_card = (habits.card_from <= self._month) & (rng.random(n) < 0.66)
        amount = -NOTES * rng.integers(2, 46, n)
        self._add(Booking.CARD, rng.integers(1, 28, n) * by_card, amount=amount)

    def month(self) -> Month:
        """The bookings in their order, without what comes before an account's opening."""
        day, kind, amount, share, floor, target = (
            np.stack(values) for values in zip(*self._rows, strict=True)
        )
        closed = np.where(self._habits.opened_month > self._month, _AFTER_ANY_DAY, 0)
        closed = np.where(self._opens, self._habits.opened_day, closed)
        day = np.where((day > closed) | (kind == Booking.OPENING), day, 0)
        # Within a day the bank books credits before debits.
        debit = (amount <= 0) & (target <= 0)
        order = np.argsort(2 * day + debit, axis=0, kind="stable")
        return Month(
            *(np.take_along_axis(v, order, 0) for v in (day, kind, amount, share, floor, target))
        )

    def _add(
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
        self._rows.append([np.broadcast_to(value, self._n) for value in row])


def _in_notes(amount: Floats | Integers) -> Integers:
    notes: Integers = amount.astype(np.int64) // NOTES
    return notes * NOTES
