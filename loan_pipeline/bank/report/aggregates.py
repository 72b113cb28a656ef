"""Exploratory analysis inside the database: only aggregates leave it, never rows.

What is asked here is drawn in `explore_report`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from loan_pipeline.bank.protocol import Bank
from loan_pipeline.contracts.table_reader import TableReader
from loan_pipeline.contracts.tables import LOAN, TABLES, TRANS, Column, Table
from loan_pipeline.progress import track

AMOUNT_BIN_CZK = 50_000


@dataclass(frozen=True)
class ColumnSummary:
    """One column: how many rows lack it, and the extent of numbers and dates."""

    name: str
    meaning: str
    missing: int
    minimum: float | str | None = None
    mean: float | None = None
    maximum: float | str | None = None


@dataclass(frozen=True)
class TableSummary:
    """One table and its columns."""

    name: str
    meaning: str
    rows: int
    columns: tuple[ColumnSummary, ...]


@dataclass(frozen=True)
class LoanSummary:
    """The loans of one status: amounts and payments in CZK, duration in months."""

    status: str
    loans: int
    amount_minimum_czk: float
    amount_maximum_czk: float
    amount_mean_czk: float
    duration_mean_months: float
    payments_mean_czk: float


@dataclass(frozen=True)
class Month:
    """The transactions of one calendar month and type."""

    month: date  # its first day
    type: str
    transactions: int
    amount_czk: float


@dataclass(frozen=True)
class Exploration:
    """What the database says about itself.

    Attributes:
        codes: rows by `table.column` and code, the most frequent first; a missing code is "".
        loans: by status.
        loan_amounts: loans by status and bin; a bin is named by its lower end in CZK and is
            `AMOUNT_BIN_CZK` wide.
        loans_by_year: loans by the year they were granted and status.
        months: transactions by month and type.
    """

    bank: str
    source: str | None
    tables: tuple[TableSummary, ...]
    codes: dict[str, dict[str, int]]
    loans: tuple[LoanSummary, ...]
    loan_amounts: dict[str, dict[int, int]]
    loans_by_year: dict[str, dict[int, int]]
    months: tuple[Month, ...]


def explore(bank: Bank) -> Exploration:
    """Ask the database for distributions, missing values and the course of time."""
    source = bank.filled_from()
    with bank.reading() as reader, track("Exploring the bank", len(TABLES)) as task:
        tables: list[TableSummary] = []
        codes: dict[str, dict[str, int]] = {}
        for table in TABLES:
            tables.append(_summary(reader, table))
            codes |= dict(_codes(reader, table))
            task.advance()
        return Exploration(
            bank=bank.name,
            source=source,
            tables=tuple(tables),
            codes=codes,
            loans=tuple(_loans(reader)),
            loan_amounts=_by_status(
                reader, f'FLOOR("amount" / {AMOUNT_BIN_CZK}) * {AMOUNT_BIN_CZK}'
            ),
            loans_by_year=_by_status(reader, 'EXTRACT(YEAR FROM "date")'),
            months=tuple(_months(reader)),
        )


def _summary(reader: TableReader, table: Table) -> TableSummary:
    """All columns in one pass over the table."""
    asked = ["COUNT(*)"]
    for column in table.columns:
        name = f'"{column.name}"'
        asked.append(f"SUM(CASE WHEN {_is_missing(reader, column)} THEN 1 ELSE 0 END)")
        if column.kind != "text":
            asked += [f"MIN({name})", f"MAX({name})"]
        if column.kind in ("integer", "decimal"):
            asked.append(f"SUM({name})")  # AVG is rounded by some databases
    [answers] = reader.rows(f"SELECT {', '.join(asked)} FROM {reader.sql_name(table)}")
    left = iter(answers)
    rows = int(next(left))
    columns = tuple(_column(column, rows, left) for column in table.columns)
    return TableSummary(table.name, table.meaning, rows, columns)


def _column(column: Column, rows: int, answers: Iterator[object]) -> ColumnSummary:
    missing = int(_number(next(answers)) or 0)
    if column.kind == "text":
        return ColumnSummary(column.name, column.meaning, missing)
    minimum, maximum = _plain(next(answers)), _plain(next(answers))
    total = None if column.kind == "date" else _number(next(answers))
    mean = None if total is None else total / (rows - missing)
    return ColumnSummary(column.name, column.meaning, missing, minimum, mean, maximum)


def _codes(reader: TableReader, table: Table) -> Iterator[tuple[str, dict[str, int]]]:
    for column in table.columns:
        if column.codes:
            exact = reader.exact(f'"{column.name}"')
            counts = reader.rows(
                f'SELECT MIN("{column.name}"), COUNT(*) FROM {reader.sql_name(table)} '
                f"GROUP BY {exact} ORDER BY COUNT(*) DESC, 1"
            )
            yield f"{table.name}.{column.name}", {code or "": int(rows) for code, rows in counts}


def _loans(reader: TableReader) -> Iterator[LoanSummary]:
    for status, loans, smallest, largest, amount, duration, payments in reader.rows(
        'SELECT "status", COUNT(*), MIN("amount"), MAX("amount"), SUM("amount"), '
        f'SUM("duration"), SUM("payments") FROM {reader.sql_name(LOAN)} '
        'GROUP BY "status" ORDER BY "status"'
    ):
        means = (float(total) / int(loans) for total in (amount, duration, payments))
        yield LoanSummary(status, int(loans), float(smallest), float(largest), *means)


def _by_status(reader: TableReader, bins: str) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = {}
    for status, lower, loans in reader.rows(
        f'SELECT "status", {bins}, COUNT(*) FROM {reader.sql_name(LOAN)} '
        f'GROUP BY "status", {bins} ORDER BY 1, 2'
    ):
        found.setdefault(status, {})[int(lower)] = int(loans)
    return found


def _months(reader: TableReader) -> Iterator[Month]:
    year, month = 'EXTRACT(YEAR FROM "date")', 'EXTRACT(MONTH FROM "date")'
    for in_year, in_month, kind, transactions, amount in reader.rows(
        f'SELECT {year}, {month}, "type", COUNT(*), SUM("amount") FROM {reader.sql_name(TRANS)} '
        f'GROUP BY {year}, {month}, "type" ORDER BY 1, 2, 3'
    ):
        first_day = date(int(in_year), int(in_month), 1)
        yield Month(first_day, kind, int(transactions), float(amount))


def _is_missing(reader: TableReader, column: Column) -> str:
    name = f'"{column.name}"'
    if column.kind != "text":
        return f"{name} IS NULL"
    # Some databases write nothing as an empty text or a blank.
    return f"{name} IS NULL OR {reader.exact(name)} IN ('', ' ')"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float, Decimal)) else None


def _plain(value: object) -> float | str | None:
    return value.isoformat() if isinstance(value, date) else _number(value)
