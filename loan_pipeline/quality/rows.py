"""The contract's rules on single rows: nulls, codes, ranges, digits; counted in one pass.

A table may come in parts, batch by batch: what a rule says of a whole column is decided at the end.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from loan_pipeline.contracts.column_types import is_whole_number
from loan_pipeline.contracts.table_reader import TableReader
from loan_pipeline.contracts.tables import EARLIEST_DATE, LATEST_DATE, Column, Table
from loan_pipeline.quality.violation import EXAMPLES, Violation

# A DOUBLE that holds hundredths is off by less than this.
_INEXACT = "0.000001"


@dataclass(frozen=True)
class _Rule:
    column: Column
    words: str
    broken: str  # SQL, true for the rows that break the rule
    is_code: bool = False


class RowRules:
    """Counts the rows of a table that break a rule.

    Args:
        table: the contract's table.
        types: the database's type of each column, where the database is not of our making: values
            that the contract's type does not hold are then looked for.
    """

    def __init__(self, table: Table, types: Mapping[str, str] | None = None) -> None:
        self._table = table
        self._types = types or {}
        self._found: dict[tuple[str, str], Violation] = {}
        self._known: dict[str, int] = {}

    def add(self, reader: TableReader) -> None:
        """Count the rows that the table has in this reader."""
        rules = [rule for column in self._table.columns for rule in self._rules(reader, column)]
        details = [column for column in self._table.columns if column.codes and column.nullable]
        conditions = [rule.broken for rule in rules]
        conditions += [_is_known(reader, column) for column in details]
        sums = ", ".join(f"SUM(CASE WHEN {each} THEN 1 ELSE 0 END)" for each in conditions)
        [counts] = reader.rows(f"SELECT {sums} FROM {reader.sql_name(self._table)}")
        for rule, count in zip(rules, counts, strict=False):
            if count:
                self._note(_broken(reader, self._table, rule, int(count)))
        for column, count in zip(details, counts[len(rules) :], strict=True):
            self._known[column.name] = self._known.get(column.name, 0) + int(count or 0)

    def violations(self) -> list[Violation]:
        """What was found, with the counts of all parts and the first one's examples."""
        return [
            replace(violation, blocking=violation.blocking and not self._is_a_detail(violation))
            for violation in self._found.values()
        ]

    @property
    def any_blocking(self) -> bool:
        """Whether rows were found that no bank should hold, however the column goes on."""
        return any(violation.column not in self._known for violation in self._found.values())

    def _is_a_detail(self, violation: Violation) -> bool:
        """Whether the column may be empty and knows other codes: an unknown one is an «other»."""
        return bool(self._known.get(violation.column))

    def _note(self, violation: Violation) -> None:
        rule = (violation.column, violation.rule)
        before = self._found.get(rule, replace(violation, count=0))
        self._found[rule] = replace(before, count=before.count + violation.count)

    def _rules(self, reader: TableReader, column: Column) -> Iterator[_Rule]:
        quoted = f'"{column.name}"'
        if not column.nullable:
            yield _Rule(column, "is empty", f"{quoted} IS NULL")
        if column.codes:
            # Where there may be nothing, some databases write nothing as an empty text.
            nothing = ("",) if column.nullable or " " in column.codes else ()
            codes = _texts(column.codes + nothing)
            words = f"is not a known code (known: {known_codes(column)})"
            yield _Rule(column, words, f"{reader.exact(quoted)} NOT IN ({codes})", is_code=True)
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
        yield from self._digits(column, quoted)

    def _digits(self, column: Column, quoted: str) -> Iterator[_Rule]:
        """Values of another type of number that the contract's type would round or cut."""
        stored = self._types.get(column.name)
        if stored is None or column.kind not in ("integer", "decimal"):
            return
        if not is_whole_number(stored):
            yield _Rule(
                column,
                f"has more than {column.scale} decimals"
                if column.scale
                else "is not a whole number",
                f"ABS({quoted} - ROUND({quoted}, {column.scale})) > {_INEXACT}",
            )
        if column.kind == "decimal":
            digits = column.precision - column.scale
            yield _Rule(
                column, f"has more than {digits} digits before the point",
                f"ABS({quoted}) >= 1{'0' * digits}",
            )  # fmt: skip


def known_codes(column: Column) -> str:
    """A column's codes for people, blank and empty ones left out."""
    return ", ".join(code for code in column.codes if code.strip())


def _is_known(reader: TableReader, column: Column) -> str:
    codes = tuple(code for code in column.codes if code.strip())
    exact = reader.exact(f'"{column.name}"')
    return f"{exact} IN ({_texts(codes)})"


def _texts(codes: tuple[str, ...]) -> str:
    return ", ".join(f"'{code}'" for code in codes)


def _broken(reader: TableReader, table: Table, rule: _Rule, count: int) -> Violation:
    key, column, name = table.primary_key, rule.column.name, reader.sql_name(table)
    rows = reader.rows(
        f'SELECT "{key}", "{column}" FROM {name} WHERE {rule.broken} '
        f'ORDER BY "{key}" LIMIT {EXAMPLES}'
    )
    if rule.is_code:
        exact = reader.exact(f'"{column}"')
        codes = reader.rows(
            f'SELECT MIN("{column}"), COUNT(*) FROM {name} WHERE {rule.broken} '
            f"GROUP BY {exact} ORDER BY COUNT(*) DESC, 1 LIMIT {EXAMPLES}"
        )
        examples = tuple(f"{times} x {code!r}" for code, times in codes)
    elif column == key:
        examples = tuple(str(value) for value, _ in rows)
    else:
        examples = tuple(f"{key} {row_key}: {value}" for row_key, value in rows)
    keys = tuple(row_key for row_key, _ in rows if row_key is not None)
    return Violation(table.name, column, rule.words, count, examples, keys=keys)
