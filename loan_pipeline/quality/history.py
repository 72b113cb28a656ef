"""Signs that a table was cut off on its way: what is missing at its end.

Features of a loan need its account's transactions up to its date, so a history that ends long
before the newest loan blocks; other signs are reported.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from loan_pipeline.contracts.table_reader import TableReader
from loan_pipeline.contracts.tables import ACCOUNT, LOAN, TRANS, Table
from loan_pipeline.quality.violation import EXAMPLES, Violation

# What a spreadsheet keeps of a longer file: 2^16 or 2^20 lines, with or without the header.
_SPREADSHEET_ROWS = frozenset({65_535, 65_536, 1_048_575, 1_048_576})
# Every account has a booking a month, so a longer gap before a loan is a hole in its history.
_DAYS_WITHOUT_TRANSACTIONS = 31
# Beyond the longest window of a feature, nothing is right; and so many loans are no oversight.
_LONGEST_WINDOW_DAYS = 365
_FEWEST_LOANS = 10
_MONTHS_BEHIND_DAYS = 92


def history_violations(reader: TableReader, tables: Sequence[Table]) -> Iterator[Violation]:
    """Tables of spreadsheet length, dates that stop early, loans without their history."""
    newest = {}
    for table in tables:
        latest = f'MAX("{table.newest_by}")' if table.newest_by else "NULL"
        [(rows, day)] = reader.rows(f"SELECT COUNT(*), {latest} FROM {reader.sql_name(table)}")
        if rows in _SPREADSHEET_ROWS:
            words = (
                f"has exactly {rows:,} rows, as a spreadsheet program leaves of a longer table: "
                "export it again without one"
            )
            yield Violation(table.name, table.primary_key, words, 0, blocking=False)
        if day is not None:
            newest[table] = day
    cut_off = {violation.table: violation for violation in _cut_off(newest)}
    if LOAN in newest and TRANS in newest:
        for violation in _loans_after_history(reader, newest[TRANS], newest[LOAN]):
            cut_off[violation.table] = violation  # it says more
        yield from _loans_without_history(reader)
    yield from cut_off.values()


def _loans_after_history(reader: TableReader, end: date, newest: date) -> Iterator[Violation]:
    """Transactions that end before the newest loans, whose features then know too little."""
    if (newest - end).days <= _DAYS_WITHOUT_TRANSACTIONS:
        return
    known_until = end + timedelta(days=_DAYS_WITHOUT_TRANSACTIONS)
    [(loans,)] = reader.rows(
        f"SELECT COUNT(*) FROM {reader.sql_name(LOAN)} WHERE \"date\" > DATE '{known_until}'"
    )
    words = (
        f"ends on {end}, but loans go on until {newest}: the history of {loans:,} of them is not "
        "complete, so their features would be wrong. Was the table cut off?"
    )
    blocking = loans >= _FEWEST_LOANS or (newest - end).days > _LONGEST_WINDOW_DAYS
    yield Violation(TRANS.name, str(TRANS.newest_by), words, 0, blocking=blocking)


def _cut_off(newest: dict[Table, date]) -> Iterator[Violation]:
    # A bank may stop opening accounts, as the public one did a year before its last transaction.
    last = max(newest.values(), default=date.min)
    for table, day in newest.items():
        if table is not ACCOUNT and (last - day).days > _MONTHS_BEHIND_DAYS:
            words = (
                f"ends on {day}, while other tables go on until {last}: check that the table "
                "is complete"
            )
            yield Violation(table.name, str(table.newest_by), words, 0, blocking=False)


def _loans_without_history(reader: TableReader) -> Iterator[Violation]:
    loans, transactions = reader.sql_name(LOAN), reader.sql_name(TRANS)
    # One pass over the transactions where no index finds those of an account.
    lost = (
        f'FROM {loans} l LEFT JOIN (SELECT "account_id", MIN("date") AS first FROM {transactions} '
        f'WHERE "account_id" IN (SELECT "account_id" FROM {loans}) GROUP BY "account_id") t '
        'ON t."account_id" = l."account_id" WHERE t.first IS NULL OR t.first >= l."date"'
    )
    [(count,)] = reader.rows(f"SELECT COUNT(*) {lost}")
    if count:
        rows = reader.rows(f'SELECT l."loan_id" {lost} ORDER BY 1 LIMIT {EXAMPLES}')
        yield Violation(
            LOAN.name,
            "account_id",
            "has no transaction before the loan was granted",
            int(count),
            tuple(f"loan_id {key}" for (key,) in rows),
            blocking=False,
            keys=tuple(key for (key,) in rows),
        )
