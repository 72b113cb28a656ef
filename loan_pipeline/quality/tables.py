"""The contract's rules over whole tables, asked as SQL inside the database.

One text serves DuckDB and MariaDB. Filling refuses blocking violations; the asset checks on the
raw tables report them all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from loan_pipeline.contracts.table_reader import ReadableBank, TableReader
from loan_pipeline.contracts.tables import (
    ACCOUNT,
    CARD,
    DISP,
    EARLIEST_DATE,
    LATEST_DATE,
    LOAN,
    ORDER,
    TABLES,
    TABLES_BY_NAME,
    Column,
    Table,
)

_EXAMPLES = 5

_TYPES = {
    "integer": ("INT", "BIGINT", "SMALLINT", "MEDIUMINT", "TINYINT", "INTEGER", "HUGEINT"),
    "decimal": ("DECIMAL", "NUMERIC"),
    "date": ("DATE",),
    "text": ("VARCHAR", "CHAR", "TEXT", "ENUM", "TINYTEXT", "MEDIUMTEXT", "LONGTEXT"),
}


@dataclass(frozen=True)
class Violation:
    """A rule of the contract that rows of one table break.

    Attributes:
        rule: what the rows are or do ("is not a known code").
        count: how many rows break it.
        examples: some of them, in words.
        blocking: whether features made from the table would be wrong.
        keys: primary keys of the examples, where rows have them.
    """

    table: str
    column: str
    rule: str
    count: int
    examples: tuple[str, ...]
    blocking: bool = True
    keys: tuple[int, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        """One line for people."""
        rows = f": {self.count:,} row{'' if self.count == 1 else 's'}" if self.count else ""
        shown = f" ({', '.join(self.examples)})" if self.examples else ""
        return f"{self.table}.{self.column} {self.rule}{rows}{shown}"


def violations(bank: ReadableBank[TableReader]) -> list[Violation]:
    """Every rule of the contract that the bank breaks, table by table."""
    with bank.reading() as reader:
        return list(find_violations(reader))


def find_violations(reader: TableReader) -> Iterator[Violation]:
    """As `violations`, in a read that is already open."""
    sound = []
    for table in TABLES:
        wrong_shape = list(_shape(reader, table))
        yield from wrong_shape
        if not wrong_shape:
            sound.append(table)
            yield from row_violations(reader, table)
    yield from relation_violations(reader, sound)


def relation_violations(
    reader: TableReader, tables: Sequence[Table] = TABLES
) -> Iterator[Violation]:
    """Rules across rows: keys, references among `tables`, owners."""
    for table in tables:
        yield from _keys(reader, table)
        for key in table.foreign_keys:
            if TABLES_BY_NAME[key.table] in tables:
                yield from _references(reader, table, key.column, TABLES_BY_NAME[key.table])
    if {DISP, LOAN, ACCOUNT} <= set(tables):
        yield from _owners(reader)


def _shape(reader: TableReader, table: Table) -> Iterator[Violation]:
    """Missing tables and columns, and columns of another kind."""
    types = reader.columns(table)
    if not types:
        yield Violation(table.name, "*", "the table is missing", 0, ())
        return
    for column in table.columns:
        found = types.get(column.name)
        if found is None:
            yield Violation(table.name, column.name, "the column is missing", 0, ())
        elif found.partition("(")[0] not in _TYPES[column.kind]:
            yield Violation(
                table.name, column.name, f"is {found}, which is no {column.kind}", 0, ()
            )


def _keys(reader: TableReader, table: Table) -> Iterator[Violation]:
    key, name = f'"{table.primary_key}"', reader.sql_name(table)
    [(rows, distinct)] = reader.rows(f"SELECT COUNT(*), COUNT(DISTINCT {key}) FROM {name}")
    if rows == 0:
        # A bank may do without cards and permanent orders, not without the others.
        needed = table not in (CARD, ORDER)
        yield Violation(table.name, table.primary_key, "the table is empty", 0, (), needed)
    if rows != distinct:
        repeated = reader.rows(
            f"SELECT {key}, COUNT(*) FROM {name} WHERE {key} IS NOT NULL "
            f"GROUP BY {key} HAVING COUNT(*) > 1 ORDER BY {key} LIMIT {_EXAMPLES}"
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


@dataclass(frozen=True)
class _Rule:
    column: Column
    words: str
    broken: str  # SQL, true for the rows that break the rule
    blocking: bool = True
    is_code: bool = False


def _rules(reader: TableReader, table: Table) -> Iterator[_Rule]:
    """Nulls, codes and ranges, as conditions on single rows."""
    for column in table.columns:
        quoted = f'"{column.name}"'
        if not column.nullable:
            yield _Rule(column, "is empty", f"{quoted} IS NULL")
        if column.codes:
            # Where there may be nothing, some databases write nothing as an empty text.
            nothing = ("",) if column.nullable or " " in column.codes else ()
            codes = ", ".join(f"'{code}'" for code in column.codes + nothing)
            # A column that may be empty is a detail: an unknown code there is a kind of "other".
            yield _Rule(
                column,
                "is not a known code",
                f"{reader.exact(quoted)} NOT IN ({codes})",
                blocking=not column.nullable,
                is_code=True,
            )
        if column.minimum is not None:
            yield _Rule(column, f"is below {column.minimum:g}", f"{quoted} < {column.minimum}")
        if column.maximum is not None:
            yield _Rule(column, f"is above {column.maximum:g}", f"{quoted} > {column.maximum}")
        if column.kind == "date":
            yield _Rule(
                column,
                f"is not between {EARLIEST_DATE} and {LATEST_DATE}",
                f"{quoted} NOT BETWEEN DATE '{EARLIEST_DATE}' AND DATE '{LATEST_DATE}'",
            )


def row_violations(reader: TableReader, table: Table) -> Iterator[Violation]:
    """Rules on single rows: nulls, codes, ranges; counted in one pass over the table."""
    rules = list(_rules(reader, table))
    sums = ", ".join(f"SUM(CASE WHEN {rule.broken} THEN 1 ELSE 0 END)" for rule in rules)
    [counts] = reader.rows(f"SELECT {sums} FROM {reader.sql_name(table)}")
    for rule, count in zip(rules, counts, strict=True):
        if count:
            yield _broken(reader, table, rule, int(count))


def _broken(reader: TableReader, table: Table, rule: _Rule, count: int) -> Violation:
    key, column, name = table.primary_key, rule.column.name, reader.sql_name(table)
    rows = reader.rows(
        f'SELECT "{key}", "{column}" FROM {name} WHERE {rule.broken} '
        f'ORDER BY "{key}" LIMIT {_EXAMPLES}'
    )
    if rule.is_code:
        exact = reader.exact(f'"{column}"')
        codes = reader.rows(
            f'SELECT MIN("{column}"), COUNT(*) FROM {name} WHERE {rule.broken} '
            f"GROUP BY {exact} ORDER BY COUNT(*) DESC, 1 LIMIT {_EXAMPLES}"
        )
        examples = tuple(f"{times} x {code!r}" for code, times in codes)
    elif column == key:
        examples = tuple(str(value) for value, _ in rows)
    else:
        examples = tuple(f"{key} {row_key}: {value}" for row_key, value in rows)
    keys = tuple(row_key for row_key, _ in rows if row_key is not None)
    return Violation(table.name, column, rule.words, count, examples, rule.blocking, keys)


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
        rows = reader.rows(f"SELECT c.id, c.k FROM {orphans} ORDER BY c.id LIMIT {_EXAMPLES}")
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
                f"SELECT o.account_id, o.newest {broken} ORDER BY 1 LIMIT {_EXAMPLES}"
            )
            yield Violation(
                DISP.name,
                "type",
                rule,
                count,
                tuple(f"account_id {account}" for account, _ in rows),
                keys=tuple(newest for _, newest in rows) if keyed else (),
            )
