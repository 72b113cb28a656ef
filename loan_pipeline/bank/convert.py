"""Texts, as files, dumps and servers hold them, into the contract's Arrow columns.

What is decided over a whole column, how its numbers are written, is asked of all its texts. How a
number or a date is read stands in `numbers` and `dates`; files are opened and split elsewhere.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from loan_pipeline.bank.arrow import arrow_schema, arrow_type, unfit
from loan_pipeline.bank.dates import (
    WANTED,
    WANTED_BIRTH_NUMBER,
    birth_date,
    birth_gender,
    dates,
)
from loan_pipeline.bank.numbers import (
    PLAIN,
    AmbiguousNumbersError,
    NumberFormat,
    decimals,
    format_of,
    integers,
    plain_decimals,
    surely_plain,
)
from loan_pipeline.contracts.tables import Column, Table

_BAD_VALUES_SHOWN = 5
# How programs write that there is nothing, in any case.
_NOTHING = ("", "?", "NULL", "\\N", "NA", "N/A", "NAN", "NONE", "NIL", "<NA>", "(NULL)", "#N/A")

# How the challenge's files name what the contract calls otherwise.
RENAMED = {("district", "A1"): "district_id"}
BIRTH_NUMBER = "birth_number"

# All texts of one column of a table, part by part.
AllTexts = Callable[[str], Iterable[pa.Array]]


@dataclass
class BadColumn:
    """Values of one column that cannot be converted.

    Attributes:
        column: the column as the source names it.
        wanted: what the values should have been ("a date, YYMMDD or YYYY-MM-DD").
        rows: position in the table and text of the first bad values.
    """

    column: str
    wanted: str
    rows: list[tuple[int, str | None]] = field(default_factory=list)


def missing_columns(table: Table, names: Iterable[str]) -> list[str]:
    """Columns of the contract that cannot be made from those named."""
    names = set(names)
    found = {RENAMED.get((table.name, name), name) for name in names}
    if BIRTH_NUMBER in names:
        found |= {"gender", "birth_date"}
    return [name for name in table.column_names if name not in found]


def contract_names(table: Table, names: Iterable[str]) -> tuple[str, ...]:
    """A source's column names, in the contract's spelling where only case and blanks differ."""
    known = {name.lower(): name for name in (*table.column_names, "A1", BIRTH_NUMBER)}
    return tuple(known.get("_".join(name.lower().split()), name.strip()) for name in names)


class Converter:
    """Converts the rows of one table, batch by batch.

    Args:
        table: the contract's table.
        all_texts: gives the texts of a column over the whole table.
        plain: columns whose numbers are written with a decimal point for certain.

    Attributes:
        bad: what could not be converted, by the source's column.
        rows: how many rows were given so far.
    """

    def __init__(
        self, table: Table, all_texts: AllTexts, plain: frozenset[str] = frozenset()
    ) -> None:
        self.bad: dict[str, BadColumn] = {}
        self._table = table
        self._all_texts = all_texts
        self.rows = 0
        self._formats = dict.fromkeys(plain, PLAIN)
        self._proven: set[str] = set()

    @property
    def numbers_are_plain(self) -> bool:
        """Whether every number of the table is plain for certain."""
        numbers = (c.name for c in self._table.columns if c.kind in ("integer", "decimal"))
        return all(self._formats.get(name) == PLAIN for name in numbers)

    def convert(self, texts: Mapping[str, pa.Array]) -> pa.RecordBatch | None:
        """The next rows as a batch of the contract; None from the first bad value of the table on.

        Args:
            texts: string arrays of one length by column name; those not needed are left out.
        """
        named = {RENAMED.get((self._table.name, name), name): name for name in texts}
        made: dict[str, pa.Array] = {}
        if self._table.name == "client" and "birth_date" not in named:
            numbers = texts[BIRTH_NUMBER]
            for name, conversion in (("gender", birth_gender), ("birth_date", birth_date)):
                made[name] = self._attempt(BIRTH_NUMBER, numbers, WANTED_BIRTH_NUMBER, conversion)
        for column in self._table.columns:
            if column.name not in made:
                origin = named[column.name]
                made[column.name] = self._column(column, origin, texts[origin])
        self.rows += len(next(iter(texts.values())))
        if self.bad:
            return None
        schema = arrow_schema(self._table)
        return pa.record_batch([made[name] for name in self._table.column_names], schema)

    def _column(self, column: Column, origin: str, texts: pa.Array) -> pa.Array | None:
        if column.codes:
            values = _codes(column, texts)
        else:
            if column.nullable:
                texts = _without_nothing(texts)
            values = self._values(column, origin, texts)
        if values is None:
            return None
        problem, bad = unfit(column, values)
        if problem:
            wanted = f"a text of 1 to {column.length} characters"
            self._note(
                BadColumn(origin, wanted if column.kind == "text" else _wanted(column)),
                [(position, texts[position].as_py()) for position in _positions(bad)],
            )
            return None
        return values

    def _values(self, column: Column, origin: str, texts: pa.Array) -> pa.Array | None:
        if column.kind == "text":
            return texts
        wanted = _wanted(column)
        if column.kind == "date":
            return self._attempt(origin, texts, wanted, dates)
        if column.kind == "integer":
            try:
                return texts.cast(pa.int64())
            except pa.ArrowInvalid:
                form = self._format(column, origin)
                return form and self._attempt(origin, texts, wanted, lambda t: integers(t, form))
        exact = self._decimals(column, origin, texts)
        if exact is None:
            return None
        rounded = pc.round(exact, ndigits=column.scale, round_mode="half_towards_infinity")
        wanted = f"a number of at most {column.precision - column.scale} digits before the point"
        return self._attempt(origin, rounded, wanted, lambda n: n.cast(arrow_type(column)))

    def _decimals(self, column: Column, origin: str, texts: pa.Array) -> pa.Array | None:
        if origin not in self._formats and origin not in self._proven:
            plain = surely_plain(texts)
            if plain:
                self._proven.add(origin)
            elif plain is None and self._format(column, origin) is None:
                return None
        if self._formats.get(origin, PLAIN) == PLAIN:
            try:
                return plain_decimals(texts)
            except pa.ArrowInvalid:
                pass
        form = self._format(column, origin)
        return form and self._attempt(
            origin, texts, _wanted(column), lambda values: decimals(values, form)
        )

    def _format(self, column: Column, origin: str) -> NumberFormat | None:
        """How the column's numbers are written, by all of them; None where that is open."""
        if origin not in self._formats:
            parts: Iterable[pa.Array] = self._all_texts(origin)
            if column.nullable:
                parts = (_without_nothing(part) for part in parts)
            try:
                self._formats[origin] = format_of(parts, whole=column.kind == "integer")
            except AmbiguousNumbersError as error:
                self._note(BadColumn(origin, str(error)), [])
                return None
        return self._formats[origin]

    def _attempt(
        self,
        origin: str,
        values: pa.Array,
        wanted: str,
        conversion: Callable[[pa.Array], pa.Array],
    ) -> pa.Array | None:
        """Convert a whole column at once; only where that fails, look for the rows at fault."""
        try:
            return conversion(values)
        except pa.ArrowInvalid:
            rows: list[tuple[int, str | None]] = []
            if origin not in self.bad:
                _find_bad(values, conversion, 0, rows)
            self._note(BadColumn(origin, wanted), rows)
            return None

    def _note(self, bad: BadColumn, rows: list[tuple[int, str | None]]) -> None:
        found = self.bad.setdefault(bad.column, bad)
        if not found.rows:
            found.rows = [(self.rows + position, text) for position, text in rows]


def _wanted(column: Column) -> str:
    return {"integer": "a whole number", "decimal": "a number", "date": WANTED, "text": "a text"}[
        column.kind
    ]


def _codes(column: Column, texts: pa.Array) -> pa.Array:
    """Codes without surrounding blanks; nothing is null, or a blank where the contract says so."""
    encoded = texts.dictionary_encode()
    trimmed = pc.utf8_trim_whitespace(encoded.dictionary)
    may_be_empty = column.nullable or " " in column.codes
    if may_be_empty:
        trimmed = _without_nothing(trimmed)
    if " " in column.codes:
        # One blank is a code of its own.
        blank = pc.match_substring_regex(encoded.dictionary, r"^\s+$")
        trimmed = pc.if_else(blank, " ", trimmed)
    codes = trimmed.take(encoded.indices)
    return codes if column.nullable or not may_be_empty else pc.fill_null(codes, " ")


def _without_nothing(texts: pa.Array) -> pa.Array:
    encoded = texts.dictionary_encode()
    words = pc.utf8_upper(pc.utf8_trim_whitespace(encoded.dictionary))
    nothing = pc.is_in(words, pa.array(_NOTHING))
    if not pc.any(nothing).as_py():
        return texts
    return pc.if_else(nothing, None, encoded.dictionary).take(encoded.indices)


def _positions(bad: pa.Array) -> list[int]:
    found: list[int] = pc.indices_nonzero(bad)[:_BAD_VALUES_SHOWN].to_pylist()
    return found


def _find_bad(
    values: pa.Array,
    conversion: Callable[[pa.Array], pa.Array],
    offset: int,
    rows: list[tuple[int, str | None]],
) -> None:
    """Halve the column until the first bad values stand alone."""
    if len(rows) >= _BAD_VALUES_SHOWN:
        return
    try:
        conversion(values)
    except pa.ArrowInvalid:
        if len(values) == 1:
            text = values[0].as_py()
            rows.append((offset, None if text is None else str(text)))
            return
        half = len(values) // 2
        _find_bad(values[:half], conversion, offset, rows)
        _find_bad(values[half:], conversion, offset + half, rows)
