"""The contract's rules over whole tables, asked as SQL inside the database.

One text serves DuckDB and MariaDB. Filling refuses blocking violations; the asset checks on the
raw tables report them all.
"""

from collections.abc import Iterator, Mapping

from loan_pipeline.contracts.column_types import may_hold
from loan_pipeline.contracts.table_reader import ReadableBank, TableReader
from loan_pipeline.contracts.tables import TABLES, Table
from loan_pipeline.quality.relations import relation_violations
from loan_pipeline.quality.rows import RowRules
from loan_pipeline.quality.violation import Violation


def violations(bank: ReadableBank[TableReader]) -> list[Violation]:
    """Every rule of the contract that the bank breaks, table by table."""
    with bank.reading() as reader:
        return list(find_violations(reader))


def find_violations(reader: TableReader) -> Iterator[Violation]:
    """As `violations`, in a read that is already open."""
    sound = []
    for table in TABLES:
        types = reader.columns(table)
        wrong_shape = list(shape_violations(table, types))
        yield from wrong_shape
        if not wrong_shape:
            sound.append(table)
            rules = RowRules(table, types)
            rules.add(reader)
            yield from rules.violations()
    yield from relation_violations(reader, sound)


def shape_violations(table: Table, types: Mapping[str, str]) -> Iterator[Violation]:
    """Missing tables and columns, and columns of another kind.

    Args:
        table: the contract's table.
        types: the database's type of each column, in capitals; empty without the table.
    """
    if not types:
        yield Violation(table.name, "*", "the table is missing", 0)
        return
    for column in table.columns:
        found = types.get(column.name)
        if found is None:
            yield Violation(table.name, column.name, "the column is missing", 0)
        elif not may_hold(column, found):
            yield Violation(
                table.name, column.name, f"is {found}, which is not of kind {column.kind}", 0
            )
