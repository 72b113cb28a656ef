"""A chunk's ledger as the contract's `trans` table."""

import numpy as np
import pyarrow as pa

from loan_pipeline.contracts.tables import TRANS
from loan_pipeline.sources.sample.arrays import Integers
from loan_pipeline.sources.sample.chunk import Chunk
from loan_pipeline.sources.sample.columns import batch, codes, dates, decimals, integers
from loan_pipeline.sources.sample.habits import make_habits
from loan_pipeline.sources.sample.ledger import Ledger, keep_books
from loan_pipeline.sources.sample.months import Booking
from loan_pipeline.sources.sample.products import BANKS, Orders
from loan_pipeline.sources.sample.sizes import FIRST_DAY, spaced_keys

# How each kind of booking is written: type, operation, k_symbol.
_CREDIT, _DEBIT, _CASH_DEBIT = "PRIJEM", "VYDAJ", "VYBER"
_WRITTEN: dict[Booking, tuple[str, str | None, str | None]] = {
    Booking.OPENING: (_CREDIT, "VKLAD", None),
    Booking.CASH_IN: (_CREDIT, "VKLAD", None),
    Booking.TRANSFER_IN: (_CREDIT, "PREVOD Z UCTU", None),
    Booking.PENSION: (_CREDIT, "PREVOD Z UCTU", "DUCHOD"),
    Booking.INTEREST: (_CREDIT, None, "UROK"),
    Booking.CASH_OUT: (_DEBIT, "VYBER", None),
    Booking.CASH_DEBIT: (_CASH_DEBIT, "VYBER", None),
    Booking.CARD: (_DEBIT, "VYBER KARTOU", None),
    Booking.HOUSEHOLD: (_DEBIT, "PREVOD NA UCET", "SIPO"),
    Booking.OTHER: (_DEBIT, "PREVOD NA UCET", " "),
    Booking.INSURANCE: (_DEBIT, "PREVOD NA UCET", "POJISTNE"),
    Booking.LEASING: (_DEBIT, "PREVOD NA UCET", None),
    Booking.LOAN: (_DEBIT, "PREVOD NA UCET", "UVER"),
    Booking.HOUSEHOLD_CASH: (_DEBIT, "VYBER", "SIPO"),
    Booking.FEE: (_DEBIT, "VYBER", "SLUZBY"),
    Booking.PENALTY: (_DEBIT, "VYBER", "SANKC. UROK"),
}
_ORDERS = (Booking.HOUSEHOLD, Booking.LOAN, Booking.INSURANCE, Booking.LEASING, Booking.OTHER)
# The bank itself stands on the other side: account 0, and no bank.
_OWN_COUNTER = (Booking.CARD, Booking.HOUSEHOLD_CASH)


def transactions_batch(chunk: Chunk, rng: np.random.Generator) -> pa.RecordBatch:
    """All transactions of a chunk, by account and in the order of booking."""
    habits = make_habits(chunk.homes, chunk.loans, chunk.orders, chunk.cards, rng)
    ledger = keep_books(chunk.homes, habits, rng)
    bank, account = _other_side(chunk, ledger, rng)
    written = [_WRITTEN[kind] for kind in Booking]
    columns = {
        "trans_id": integers(spaced_keys("trans", chunk.number, len(ledger.kind), rng)),
        "account_id": integers(chunk.account_ids[ledger.account]),
        "date": dates(FIRST_DAY + ledger.day),
        "type": codes(ledger.kind, [row[0] for row in written]),
        "operation": codes(ledger.kind, [row[1] for row in written]),
        "amount": decimals(np.abs(ledger.signed), TRANS.column("amount")),
        "balance": decimals(ledger.balance, TRANS.column("balance")),
        "k_symbol": codes(ledger.kind, [row[2] for row in written]),
        "bank": codes(bank, (*BANKS, None)),
        "account": integers(account, account < 0),
    }
    return batch(TRANS, columns)


def _other_side(
    chunk: Chunk, ledger: Ledger, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """Bank (position in `BANKS`, one past it for none) and account (-1 for none) of each row."""
    n = len(chunk.homes)
    bank = np.full((len(Booking), n), len(BANKS))
    account = np.full((len(Booking), n), -1)
    payers = rng.integers(0, len(BANKS), n), rng.integers(100_000, 99_999_999, n)
    for kind in (Booking.TRANSFER_IN, Booking.PENSION):
        bank[kind], account[kind] = payers
    _fill_orders(chunk.orders, bank, account)
    account[list(_OWN_COUNTER)] = 0
    # Some households' withdrawals are written like that too.
    account[Booking.CASH_OUT, rng.random(n) < 0.3] = 0
    return bank[ledger.kind, ledger.account], account[ledger.kind, ledger.account]


def _fill_orders(orders: Orders, bank: Integers, account: Integers) -> None:
    booking = np.array(_ORDERS)[orders.kind]
    bank[booking, orders.account] = orders.bank
    account[booking, orders.account] = orders.account_to
