"""A commented skeleton of the eight views that show a bank's own tables as the contract's.

Names in `<…>` are the reader's to replace. The SQL is MariaDB's.
"""

from collections.abc import Iterator

from loan_pipeline.contracts.currency import in_currency
from loan_pipeline.contracts.tables import LOAN, TABLES, Column, Table

_HEAD = """\
-- Views that show your bank's tables as the loan pipeline reads them. Replace every <name>, run
-- this as a user who may read the tables, then: loan-pipeline bank check
--
-- The pipeline's own login needs nothing but these views:
--   CREATE USER 'loan_pipeline'@'%' IDENTIFIED BY '<a password>';
--   GRANT SELECT ON loan_views.* TO 'loan_pipeline'@'%';
-- and these settings:
--   LOAN_DATABASE_URL=mysql://loan_pipeline:<the password>@<host>/loan_views
--   LOAN_BANK_MANAGED=false

CREATE DATABASE IF NOT EXISTS loan_views;
USE loan_views;
"""


def views_skeleton(currency: str = "CZK") -> str:
    """The SQL of the eight views, every column with its type, unit, codes and meaning.

    Args:
        currency: what amounts are in.
    """
    return _HEAD + "".join(in_currency(_view(table), currency) for table in TABLES)


def _view(table: Table) -> str:
    columns = [line for column in table.columns for line in _column(table, column)]
    lines = [
        "",
        f"-- {table.name}: {table.meaning}",
        f"CREATE OR REPLACE VIEW `{table.name}` AS SELECT",
        *(f"  {line}" for line in columns),
        f"FROM <database>.<table of {table.name}> AS t;",
    ]
    return "\n".join(lines) + "\n"


def _column(table: Table, column: Column) -> Iterator[str]:
    comma = "" if column is table.columns[-1] else ","
    for note in _notes(table, column):
        yield f"-- {note}"
    yield f"{_expression(table, column)} AS `{column.name}`{comma}"


def _notes(table: Table, column: Column) -> Iterator[str]:
    kind = {
        "integer": "whole number",
        "decimal": f"number with {column.scale} decimals",
        "date": "date",
        "text": f"text of at most {column.length} characters",
    }[column.kind]
    if column.name == table.primary_key:
        # An expression would hide the key's index, by which the table is read page by page.
        yield f"{column.meaning}: {kind}, unique; name the column as it is, without a CAST"
        return
    empty = "NULL where there is none" if column.nullable else "never NULL"
    yield f"{column.meaning}: {kind}, {empty}"
    for key in table.foreign_keys:
        if key.column == column.name:
            yield f"refers to {key.table}"
    if column.codes:
        yield f"codes: {', '.join(repr(code) for code in column.codes)}"
    if table is LOAN and column.name == "date":
        yield "transactions up to this date must be in trans"


def _expression(table: Table, column: Column) -> str:
    own = f"t.<{column.name}>"
    if column.name == table.primary_key or column.name in {k.column for k in table.foreign_keys}:
        return own
    if column.codes:
        cases = " ".join(f"WHEN <yours> THEN '{code}'" for code in column.codes)
        return f"CASE {own} {cases} END"
    return cast(column, own)


def cast(column: Column, expression: str) -> str:
    """MariaDB's SQL that gives an expression the column's type."""
    if column.kind == "integer":
        return f"CAST({expression} AS SIGNED)"
    if column.kind == "decimal":
        return f"CAST({expression} AS DECIMAL({column.precision},{column.scale}))"
    if column.kind == "date":
        return f"CAST({expression} AS DATE)"
    return f"CAST({expression} AS CHAR({column.length}))"
