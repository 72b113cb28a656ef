"""The contract's rules across rows: keys, references, owners, loans and their accounts' dates."""

from collections.abc import Iterator, Sequence

from loan_pipeline.contracts.table_reader import TableReader
from loan_pipeline.contracts.tables import (
    ACCOUNT,
    CARD,
    DISP,
    LOAN,
    ORDER,
    TABLES,
    TABLES_BY_NAME,
    Table,
)
from loan_pipeline.quality.history import history_violations
from loan_pipeline.quality.violation import EXAMPLES, Violation


def relation_violations(
    reader: TableReader, tables: Sequence[Table] = TABLES
) -> Iterator[Violation]:
    """Rules across the rows of `tables`, which are whole: keys, references, owners, history."""
    for table in tables:
        yield from _keys(reader, table)
        for key in table.foreign_keys:
            if TABLES_BY_NAME[key.table] in tables:
                yield from _references(reader, table, key.column, TABLES_BY_NAME[key.table])
    if {DISP, LOAN, ACCOUNT} <= set(tables):
        yield from _owners(reader)
    if {LOAN, ACCOUNT} <= set(tables):
        yield from _loans_before_accounts(reader)
    yield from history_violations(reader, tables)


def _keys(reader: TableReader, table: Table) -> Iterator[Violation]:
    key, name = f'"{table.primary_key}"', reader.sql_name(table)
    rows = reader.row_count(table)
    if rows == 0:
        # A bank may do without cards and permanent orders, not without the others.
        needed = table not in (CARD, ORDER)
        yield Violation(table.name, table.primary_key, "the table is empty", 0, (), needed)
    if reader.keys_are_unique(table):
        return
    [(distinct,)] = reader.rows(f"SELECT COUNT(DISTINCT {key}) FROM {name}")
    if rows != distinct:
        repeated = reader.rows(
            f"SELECT {key}, COUNT(*) FROM {name} WHERE {key} IS NOT NULL "
            f"GROUP BY {key} HAVING COUNT(*) > 1 ORDER BY {key} LIMIT {EXAMPLES}"
        )
        yield repeated_keys(
            table, rows - distinct, tuple((value, times) for value, times in repeated)
        )


def repeated_keys(table: Table, surplus: int, repeated: tuple[tuple[int, int], ...]) -> Violation:
    """The violation of a key that is there more than once: `repeated` are keys and times."""
    return Violation(
        table.name,
        table.primary_key,
        "is not unique",
        surplus,
        tuple(f"{times} x {value}" for value, times in repeated),
        keys=tuple(value for value, _ in repeated),
    )


def _references(
    reader: TableReader, table: Table, column: str, parent: Table
) -> Iterator[Violation]:
    child, child_key = reader.sql_name(table), table.primary_key
    parent_key = f'p."{parent.primary_key}"'
    lost = f"{reader.sql_name(parent)} p ON c.k = {parent_key} WHERE {parent_key} IS NULL"
    # An index answers the distinct values at once; rows are looked at only where some are lost.
    values = f'(SELECT DISTINCT "{column}" AS k FROM {child} WHERE "{column}" IS NOT NULL) c'
    [(count,)] = reader.rows(f"SELECT COUNT(*) FROM {values} LEFT JOIN {lost}")
    if count:
        orphans = f"""(SELECT "{child_key}" AS id, "{column}" AS k FROM {child}) c LEFT JOIN {lost}
            AND c.k IS NOT NULL"""
        [(count,)] = reader.rows(f"SELECT COUNT(*) FROM {orphans}")
        rows = reader.rows(f"SELECT c.id, c.k FROM {orphans} ORDER BY c.id LIMIT {EXAMPLES}")
        yield Violation(
            table.name,
            column,
            f"refers to no row of {parent.name}",
            count,
            tuple(f"{child_key} {row_key}: {value}" for row_key, value in rows),
            keys=tuple(row_key for row_key, _ in rows),
        )


def _owners(reader: TableReader) -> Iterator[Violation]:
    """No account has two owners, and every account with a loan has one."""
    kind = reader.exact('d."type"')
    owners = (
        f'SELECT a."account_id" AS account_id, COUNT(d."disp_id") AS owners, '
        f'MAX(d."disp_id") AS newest '
        f"FROM {reader.sql_name(ACCOUNT)} a LEFT JOIN {reader.sql_name(DISP)} d "
        f'ON d."account_id" = a."account_id" AND {kind} = \'OWNER\' GROUP BY a."account_id"'
    )
    for rule, condition, keyed in (
        ("names more than one owner of an account", "o.owners > 1", True),
        (
            "names no owner of an account that has a loan",
            f'o.owners = 0 AND o.account_id IN (SELECT "account_id" FROM {reader.sql_name(LOAN)})',
            False,
        ),
    ):
        broken = f"FROM ({owners}) o WHERE {condition}"
        [(count,)] = reader.rows(f"SELECT COUNT(*) {broken}")
        if count:
            rows = reader.rows(
                f"SELECT o.account_id, o.newest {broken} ORDER BY 1 LIMIT {EXAMPLES}"
            )
            yield Violation(
                DISP.name,
                "type",
                rule,
                count,
                tuple(f"account_id {account}" for account, _ in rows),
                keys=tuple(newest for _, newest in rows) if keyed else (),
            )


def _loans_before_accounts(reader: TableReader) -> Iterator[Violation]:
    broken = (
        f"FROM {reader.sql_name(LOAN)} l JOIN {reader.sql_name(ACCOUNT)} a "
        'ON a."account_id" = l."account_id" WHERE l."date" < a."date"'
    )
    [(count,)] = reader.rows(f"SELECT COUNT(*) {broken}")
    if count:
        rows = reader.rows(
            f'SELECT l."loan_id", l."date", a."date" {broken} ORDER BY 1 LIMIT {EXAMPLES}'
        )
        yield Violation(
            LOAN.name,
            "date",
            "is before the account was opened",
            int(count),
            tuple(f"loan_id {key}: {day}, opened {opened}" for key, day, opened in rows),
            keys=tuple(key for key, _, _ in rows),
        )
