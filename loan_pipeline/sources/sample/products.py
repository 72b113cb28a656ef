"""What else the households have with the bank: second clients, permanent orders, cards."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from loan_pipeline.sources.sample.arrays import Days, Flags, Floats, Integers
from loan_pipeline.sources.sample.households import Households, Income
from loan_pipeline.sources.sample.loans import Loans
from loan_pipeline.sources.sample.sizes import LAST_DAY, ChunkSizes

BANKS = ("AB", "CD", "EF", "GH", "IJ", "KL", "MN", "OP", "QR", "ST", "UV", "WX", "YZ")
_CARD_NOT_BEFORE = 80  # days after the account's opening


class OrderKind(IntEnum):
    """Position in contracts.tables.ORDER_SYMBOLS."""

    HOUSEHOLD = 0
    LOAN = 1
    INSURANCE = 2
    LEASING = 3
    OTHER = 4


@dataclass(frozen=True)
class Orders:
    """Permanent orders, sorted by account; each array of shape (orders,).

    Attributes:
        kind: `OrderKind`.
        amount: hundredths of CZK.
        bank: position in `BANKS`.
    """

    account: Integers
    kind: Integers
    amount: Integers
    bank: Integers
    account_to: Integers

    def __len__(self) -> int:
        return len(self.account)


@dataclass(frozen=True)
class Cards:
    """Credit cards of account owners; each array of shape (cards,)."""

    account: Integers
    level: Integers  # position in contracts.tables.CARD_TYPES
    issued: Days

    def __len__(self) -> int:
        return len(self.account)


def second_clients(
    sizes: ChunkSizes, homes: Households, loans: Loans, rng: np.random.Generator
) -> Flags:
    """Which accounts a second client may use. Shape (accounts,)."""
    shared = np.zeros(len(homes), dtype=bool)
    shared[loans.account[loans.second_client]] = True
    without_loan = np.setdiff1d(np.arange(len(homes)), loans.account)
    shared[rng.choice(without_loan, sizes.second_clients - int(shared.sum()), replace=False)] = True
    return shared


def make_orders(
    sizes: ChunkSizes, homes: Households, loans: Loans, rng: np.random.Generator
) -> Orders:
    """One order per account and kind, and one for each loan's payment."""
    everybody = np.arange(len(homes))
    without_loan = np.setdiff1d(everybody, loans.account)
    payers = without_loan[homes.income_kind[without_loan] != Income.PENSION]
    wanted = (
        (OrderKind.HOUSEHOLD, sizes.household_orders, everybody, 0.17, 0.45),
        (OrderKind.OTHER, sizes.other_orders, everybody, 0.06, 0.8),
        (OrderKind.INSURANCE, sizes.insurance_orders, everybody, 0.035, 1.0),
        (OrderKind.LEASING, sizes.leasing_orders, payers, 0.09, 0.45),
    )
    accounts, kinds, amounts = [loans.account], [np.full(len(loans), OrderKind.LOAN)], []
    amounts.append(loans.payments * 100)
    for kind, count, eligible, share, spread in wanted:
        chosen = rng.choice(eligible, min(count, len(eligible)), replace=False)
        size = share * homes.income[chosen] * np.exp(spread * rng.standard_normal(len(chosen)))
        accounts.append(chosen)
        kinds.append(np.full(len(chosen), kind))
        amounts.append(_order_amounts(size, 0.3 * homes.income[chosen], rng))
    account = np.concatenate(accounts)
    order = np.argsort(account, kind="stable")
    n = len(order)
    return Orders(
        account=account[order],
        kind=np.concatenate(kinds)[order],
        amount=np.concatenate(amounts)[order],
        bank=rng.integers(0, len(BANKS), n),
        account_to=rng.integers(100_000, 99_999_999, n),
    )


def _order_amounts(size: Floats, largest: Floats, rng: np.random.Generator) -> Integers:
    """Whole crowns mostly, one in five with tenths, in hundredths of CZK."""
    crowns = np.clip(size, 5, np.minimum(largest, 14_800)).astype(np.int64) * 100
    tenths = rng.integers(0, 10, len(size)) * 10
    return crowns + np.where(rng.random(len(size)) < 0.2, tenths, 0)


def make_cards(sizes: ChunkSizes, homes: Households, rng: np.random.Generator) -> Cards:
    """Cards of the sounder households a little more often; the youngest get junior cards."""
    days_left = (LAST_DAY - np.timedelta64(2, "D") - homes.opened).astype(
        np.int64
    ) - _CARD_NOT_BEFORE
    weight = np.exp(0.25 * homes.solvency)
    account = np.sort(rng.choice(len(homes), sizes.cards, replace=False, p=weight / weight.sum()))
    wait = _CARD_NOT_BEFORE + days_left[account] * rng.beta(1.6, 1.0, len(account))
    issued = homes.opened[account] + wait.astype("timedelta64[D]")
    years = (issued - homes.owner_birth[account]).astype(np.int64) / 365.25
    level = np.ones(len(account), dtype=np.int64)
    juniors, golds = round(0.163 * len(account)), round(0.098 * len(account))
    by_age = np.argsort(years)
    level[by_age[:juniors]] = 0
    richest = by_age[juniors:][np.argsort(-homes.income[account[by_age[juniors:]]])]
    level[richest[rng.random(len(richest)) < 0.5][:golds]] = 2
    return Cards(account, level, issued)
