"""How each household handles its account: days, amounts and the months in which things go wrong.

Drawn once per chunk; `months` turns it into what may be booked in a month.
"""

from dataclasses import dataclass

import numpy as np

from loan_pipeline.sources.sample.arrays import Days, Flags, Floats, Integers
from loan_pipeline.sources.sample.households import Households, Income
from loan_pipeline.sources.sample.loans import Loans
from loan_pipeline.sources.sample.products import Cards, OrderKind, Orders
from loan_pipeline.sources.sample.sizes import MONTHS, month_of

# Orders that are carried out every month; loans have payments of their own.
STANDING = (OrderKind.HOUSEHOLD, OrderKind.OTHER, OrderKind.INSURANCE, OrderKind.LEASING)
NEVER = MONTHS + 1
_OVERDRAFTS_PER_BAD_LOAN = 7.7


@dataclass(frozen=True)
class Habits:
    """One column per account; months count from January 1993, amounts are hundredths of CZK.

    Attributes:
        standing_amount, standing_day, standing_from: shape (4, accounts), rows as `STANDING`.
        household_cash: amount of the household's bill where it is paid in cash, else 0.
        payment_day: day of the loan's payment, no later in the month than the loan's date.
        loan_from, loan_until: first and last month with a payment.
        card_from: first month with a card.
        troubled_from: first month in which a bad loan's household no longer copes.
        overdraws: (months, accounts), when a household spends more than it has.
        overdraft_chance: monthly, of a household that no longer copes.
        activity: cash withdrawals a month.
    """

    opened_month: Integers
    opened_day: Integers
    income: Integers
    income_day: Integers
    skips_income: Floats
    standing_amount: Integers
    standing_day: Integers
    standing_from: Integers
    household_cash: Integers
    payment: Integers
    payment_day: Integers
    loan_from: Integers
    loan_until: Integers
    card_from: Integers
    troubled_from: Integers
    overdraws: Flags
    overdraft_chance: float
    activity: Floats


def make_habits(
    homes: Households, loans: Loans, orders: Orders, cards: Cards, rng: np.random.Generator
) -> Habits:
    """Draw the habits of one chunk's households."""
    n = len(homes)
    opened_month = month_of(homes.opened)
    standing = np.zeros((len(STANDING), n), dtype=np.int64)
    for row, kind in enumerate(STANDING):
        of_kind = orders.kind == kind
        standing[row, orders.account[of_kind]] = orders.amount[of_kind]
    by_hand = (standing[0] == 0) & (rng.random(n) < 0.16)
    bill = (0.17 * homes.income * np.exp(0.4 * rng.standard_normal(n))).astype(np.int64) // 100
    loan_month, payment, duration, day = (np.full(n, fill) for fill in (NEVER, 0, 0, 1))
    loan_month[loans.account] = month_of(loans.date)
    payment[loans.account] = loans.payments * 100
    duration[loans.account] = loans.duration
    day[loans.account] = np.minimum(_day_of_month(loans.date), rng.integers(5, 15, len(loans)))
    card_from = np.full(n, NEVER)
    card_from[cards.account] = month_of(cards.issued) + 1
    income_day = rng.integers(5, 15, n)
    troubled_from = _trouble(n, loans, rng)
    troubled_months = int((MONTHS - troubled_from[loans.account[loans.bad]]).sum())
    overdrafts = _OVERDRAFTS_PER_BAD_LOAN * int(loans.bad.sum())
    return Habits(
        opened_month=opened_month,
        opened_day=_day_of_month(homes.opened),
        income=(homes.income * 100).astype(np.int64),
        income_day=income_day,
        skips_income=np.where(
            homes.income_kind == Income.PENSION,
            0.0,
            0.005 + 0.26 / (1 + np.exp(1.6 + 1.8 * homes.solvency)),
        ),
        standing_amount=standing,
        standing_day=income_day + rng.integers(0, 7, standing.shape),
        standing_from=opened_month + rng.integers(1, 12, standing.shape),
        household_cash=np.where(by_hand, np.maximum(bill, 5) * 10_000, 0),
        payment=payment,
        payment_day=day,
        loan_from=loan_month + 1,
        loan_until=loan_month + duration,
        card_from=card_from,
        troubled_from=troubled_from,
        overdraws=_overdrafts(homes, loans, rng),
        overdraft_chance=min(0.6, overdrafts / max(troubled_months, 1)),
        activity=np.clip(1.83 * np.exp(0.35 * rng.standard_normal(n)), 0.3, 3),
    )


def _day_of_month(days: Days) -> Integers:
    first = days.astype("datetime64[M]").astype("datetime64[D]")
    past: Integers = (days - first).astype(np.int64)
    return past + 1


def _trouble(n: int, loans: Loans, rng: np.random.Generator) -> Integers:
    """Bad loans go wrong within a year, and before the records end."""
    troubled = np.full(n, NEVER)
    bad = np.flatnonzero(loans.bad)
    month = month_of(loans.date[bad])
    within = np.minimum(10, (MONTHS - 1 - month) // 2)
    troubled[loans.account[bad]] = month + 1 + rng.integers(0, within + 1)
    return troubled


def _overdrafts(homes: Households, loans: Loans, rng: np.random.Generator) -> Flags:
    """(months, accounts): some months of the overdrawn households, before a loan of theirs."""
    n = len(homes)
    month = np.arange(MONTHS)[:, None]
    opened = month_of(homes.opened)
    without_loan = np.setdiff1d(np.arange(n), loans.account)
    weakest = without_loan[np.argsort(homes.solvency[without_loan])][: n // 5]
    weak = np.isin(np.arange(n), rng.choice(weakest, n // 105, replace=False))
    overdraws = weak & (month > opened + 1) & (rng.random((MONTHS, n)) < 0.13)
    account = loans.account[loans.overdrawn]
    granted = month_of(loans.date[loans.overdrawn])
    earliest = np.maximum(opened[account] + 1, granted - 9)
    for _ in range(2):
        overdraws[rng.integers(earliest, granted), account] = True
    return overdraws
