"""Brings a chunk's books to an exact number of transactions, without touching a loan's account."""

import numpy as np

from loan_pipeline.sources.sample.arrays import Flags, Integers
from loan_pipeline.sources.sample.ledger import Ledger
from loan_pipeline.sources.sample.months import CROWN, NOTES, Booking
from loan_pipeline.sources.sample.sizes import FIRST_DAY

_LAST_YEAR = int((np.datetime64("1998-01-01", "D") - FIRST_DAY).astype(np.int64))
# Who never falls below this in the last year has room for some small withdrawals more.
_ROOM = 3_000 * CROWN


def with_rows(ledger: Ledger, wanted: int, with_loan: Flags, rng: np.random.Generator) -> Ledger:
    """The ledger with exactly `wanted` rows, a per cent or two more or fewer than it has.

    Cash withdrawals of the last year are left out or small ones added, on accounts whose balance
    is never low in that year.

    Args:
        ledger: the books.
        wanted: rows asked for.
        with_loan: accounts to leave as they are, shape (accounts,).
        rng: chooses the rows.
    """
    columns = np.stack([ledger.account, ledger.day, ledger.kind, ledger.signed])
    last_year = ledger.day >= _LAST_YEAR
    lowest = np.full(len(with_loan), _ROOM)
    np.minimum.at(lowest, ledger.account[last_year], ledger.balance[last_year])
    free = (lowest >= _ROOM) & ~with_loan
    surplus = len(ledger) - wanted
    if surplus > 0:
        withdrawn = last_year & free[ledger.account] & (ledger.kind == Booking.CASH_OUT)
        gone = rng.choice(np.flatnonzero(withdrawn), surplus, replace=False)
        columns = np.delete(columns, gone, axis=1)
    else:
        added = _withdrawals(np.flatnonzero(free), -surplus, rng)
        # Behind all that was booked on the account up to that day.
        at = np.searchsorted(_by_day(columns), _by_day(added), side="right")
        columns = np.insert(columns, at, added, axis=1)
    account, day, kind, signed = columns
    total = np.cumsum(signed)
    before = (total - signed)[np.flatnonzero(np.diff(account, prepend=-1))]
    return Ledger(account, day, kind, signed, total - before[account])


def _withdrawals(accounts: Integers, count: int, rng: np.random.Generator) -> Integers:
    """Columns of new rows, in the ledger's order; shape (4, count)."""
    account = np.resize(rng.permutation(accounts), count)
    day = _LAST_YEAR + rng.integers(0, 364, count)
    kind = np.full(count, Booking.CASH_OUT)
    signed = -NOTES * rng.integers(1, 4, count)
    added = np.stack([account, day, kind, signed])
    return added[:, np.argsort(_by_day(added))]


def _by_day(columns: Integers) -> Integers:
    key: Integers = columns[0] * 10_000 + columns[1]
    return key
