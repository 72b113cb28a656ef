"""Whether a bank's own tables or views are as the contract says; only reads."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from loan_pipeline.bank.protocol import Bank
from loan_pipeline.bank.views import cast
from loan_pipeline.contracts.column_types import may_hold
from loan_pipeline.contracts.table_reader import TableReader
from loan_pipeline.contracts.tables import TABLES, Column, Table
from loan_pipeline.quality.relations import relation_violations
from loan_pipeline.quality.rows import RowRules
from loan_pipeline.quality.tables import shape_violations
from loan_pipeline.quality.violation import Violation

_CODES_SHOWN = 20


@dataclass
class ColumnCheck:
    """One column: the database's type, what does not fit and how to cast it, counts of codes."""

    name: str
    type: str | None
    wanted: str
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)

    @property
    def fits(self) -> bool:
        """Whether features can be made from the column."""
        return not self.problems


@dataclass
class TableCheck:
    """One table: its rows, its newest date where it has one, and its columns."""

    name: str
    rows: int | None
    newest: date | None
    columns: list[ColumnCheck]

    @property
    def fits(self) -> bool:
        """Whether every column fits."""
        return all(column.fits for column in self.columns)

    def as_json(self) -> dict[str, Any]:
        """The check as JSON can hold it."""
        return {
            "table": self.name,
            "fits": self.fits,
            "rows": self.rows,
            "newest": self.newest.isoformat() if self.newest else None,
            "columns": [vars(column) | {"fits": column.fits} for column in self.columns],
        }


def check_bank(bank: Bank) -> list[TableCheck]:
    """Look at every table and column of the contract, in one consistent read.

    Raises:
        BankError: the bank cannot be read.
    """
    with bank.reading() as reader:
        checks, sound = [], []
        for table in TABLES:
            types = reader.columns(table)
            if not list(shape_violations(table, types)):
                sound.append(table)
            checks.append(_check_table(reader, table, types, is_sound=table in sound))
        _note(checks, list(relation_violations(reader, sound)))
    return checks


def _check_table(
    reader: TableReader, table: Table, types: Mapping[str, str], *, is_sound: bool
) -> TableCheck:
    columns = [_check_column(column, types.get(column.name)) for column in table.columns]
    if not types:
        for each in columns:
            each.problems = [f"there is no table or view {table.name}"]
        return TableCheck(table.name, None, None, columns)
    newest = table.newest_by if table.newest_by in types else None
    latest = f'MAX("{newest}")' if newest else "NULL"
    [(rows, day)] = reader.rows(f"SELECT COUNT(*), {latest} FROM {reader.sql_name(table)}")
    check = TableCheck(table.name, int(rows), day if isinstance(day, date) else None, columns)
    for wanted, seen in zip(table.columns, columns, strict=True):
        if wanted.codes and seen.type:
            seen.codes = {
                "NULL" if code is None else repr(code): int(count)
                for code, count in reader.rows(
                    f'SELECT "{wanted.name}", COUNT(*) FROM {reader.sql_name(table)} '
                    f'GROUP BY "{wanted.name}" ORDER BY 2 DESC LIMIT {_CODES_SHOWN}'
                )
            }
    if is_sound:
        rules = RowRules(table, types)
        rules.add(reader)
        _note([check], rules.violations())
    return check


def _check_column(column: Column, found: str | None) -> ColumnCheck:
    wanted = {
        "integer": "whole number",
        "decimal": f"number, {column.scale} decimals",
        "date": "DATE",
        "text": f"text, {column.length} characters",
    }[column.kind]
    check = ColumnCheck(column.name, found, wanted)
    if found is None:
        check.problems.append("is missing")
    elif not may_hold(column, found):
        check.problems.append(f"is {found}: {_hint(column, found)}")
    return check


def _note(checks: list[TableCheck], violations: list[Violation]) -> None:
    """Put each violation to its column, with how to write what a cast makes fit."""
    noted = {(check.name, column.name): column for check in checks for column in check.columns}
    contract = {(table.name, column.name): column for table in TABLES for column in table.columns}
    by_column: dict[tuple[str, str], list[Violation]] = defaultdict(list)
    for violation in violations:
        by_column[violation.table, violation.column].append(violation)
    for place, broken in by_column.items():
        for violation in broken:
            text = str(violation).removeprefix(f"{violation.table}.{violation.column} ")
            hint = _hint_for_values(contract[place], violation)
            found_in = noted[place]
            (found_in.problems if violation.blocking else found_in.warnings).append(text + hint)


def _hint(column: Column, found: str) -> str:
    if column.kind == "date":
        if found.startswith(("DATETIME", "TIMESTAMP")):
            return f"write {cast(column, column.name)}"
        return f"write STR_TO_DATE({column.name}, '%Y-%m-%d') with the format it is written in"
    if column.kind == "text":
        return f"write {cast(column, column.name)}"
    point = f"REPLACE({column.name}, ',', '.')"
    return f"write {cast(column, point)}"


def _hint_for_values(column: Column, violation: Violation) -> str:
    if violation.rule.startswith("is not a known code"):
        return f"; write CASE {column.name} WHEN … THEN '{column.codes[0]}' … END"
    if "decimals" in violation.rule or "whole number" in violation.rule:
        return f"; write ROUND({column.name}, {column.scale})"
    return ""
