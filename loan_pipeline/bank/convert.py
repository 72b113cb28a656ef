"""Texts, as files and dumps hold them, into the contract's Arrow columns.

Dates may be `YYMMDD` (of the 1900s) or ISO, with or without a time; decimals are rounded half
away from zero to the contract's scale. Opening and splitting files is not done here.
"""

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from loan_pipeline.bank.arrow import arrow_schema, arrow_type, unfit
from loan_pipeline.contracts.tables import Column, Table

_PARSED_DECIMAL = pa.decimal128(38, 12)
_BAD_VALUES_SHOWN = 5

# How the challenge's files name what the contract calls otherwise.
RENAMED = {("district", "A1"): "district_id"}
BIRTH_NUMBER = "birth_number"


class BadValuesError(ValueError):
    """Values of one column that cannot be converted.

    Attributes:
        column: the column as the source names it.
        wanted: what the values should have been ("a date, YYMMDD or YYYY-MM-DD").
        rows: position in the batch and text of the first bad values.
    """

    def __init__(self, column: str, wanted: str, rows: list[tuple[int, str | None]]) -> None:
        super().__init__(f"{column} is not {wanted}")
        self.column = column
        self.wanted = wanted
        self.rows = rows


def missing_columns(table: Table, names: set[str]) -> list[str]:
    """Columns of the contract that cannot be made from those named."""
    found = {RENAMED.get((table.name, name), name) for name in names}
    if BIRTH_NUMBER in names:
        found |= {"gender", "birth_date"}
    return [name for name in table.column_names if name not in found]


def convert(table: Table, texts: Mapping[str, pa.Array]) -> pa.RecordBatch:
    """A batch of the contract from columns of texts, where null is null.

    `texts` are string arrays of one length by column name; those not needed are left out.

    Raises:
        BadValuesError: on the first column with values that are not what they must be.
    """
    named = {RENAMED.get((table.name, name), name): name for name in texts}
    made: dict[str, pa.Array] = {}
    if table.name == "client" and "birth_date" not in named:
        made |= _from_birth_number(texts[BIRTH_NUMBER])
    for column in table.columns:
        if column.name not in made:
            origin = named[column.name]
            made[column.name] = _column(column, origin, texts[origin])
    return pa.record_batch([made[name] for name in table.column_names], arrow_schema(table))


def _column(column: Column, origin: str, texts: pa.Array) -> pa.Array:
    if column.kind == "text" and not column.nullable and " " in column.codes:
        # An order may have no symbol; the contract writes that as one blank.
        texts = pc.fill_null(texts, " ")
    values = _convert_or_explain(origin, texts, _WANTED[column.kind], _CONVERSIONS[column.kind])
    if column.kind == "decimal":
        rounded = pc.round(values, ndigits=column.scale, round_mode="half_towards_infinity")
        values = _convert_or_explain(
            origin,
            rounded,
            f"a number of at most {column.precision - column.scale} digits before the point",
            lambda numbers: numbers.cast(arrow_type(column)),
        )
    problem, bad = unfit(column, values)
    if problem:
        raise BadValuesError(origin, _fit(column), _rows(texts, bad))
    return values


def _fit(column: Column) -> str:
    if column.kind == "text":
        return f"a text of 1 to {column.length} characters"
    return _WANTED[column.kind]


def _rows(texts: pa.Array, bad: pa.Array) -> list[tuple[int, str | None]]:
    positions = pc.indices_nonzero(bad)[:_BAD_VALUES_SHOWN].to_pylist()
    return [(position, texts[position].as_py()) for position in positions]


def _convert_or_explain(
    origin: str, values: pa.Array, wanted: str, conversion: Callable[[pa.Array], pa.Array]
) -> pa.Array:
    """Convert a whole column at once; only where that fails, look for the rows at fault."""
    try:
        return conversion(values)
    except pa.ArrowInvalid:
        rows: list[tuple[int, str | None]] = []
        _find_bad(values, conversion, 0, rows)
        raise BadValuesError(origin, wanted, rows) from None


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


def _integers(texts: pa.Array) -> pa.Array:
    try:
        return texts.cast(pa.int64())
    except pa.ArrowInvalid:
        # Tools that write nullable integers as floats add ".0".
        plain = pc.replace_substring_regex(pc.utf8_trim_whitespace(texts), r"\.0+$", "")
        return plain.cast(pa.int64())


def _decimals(texts: pa.Array) -> pa.Array:
    try:
        return texts.cast(_PARSED_DECIMAL)
    except pa.ArrowInvalid:
        return pc.utf8_trim_whitespace(texts).cast(_PARSED_DECIMAL)


def _dates(texts: pa.Array) -> pa.Array:
    # A column holds few different dates: convert each once.
    encoded = texts.dictionary_encode()
    iso = pc.replace_substring_regex(
        encoded.dictionary, r"^(\d\d)(\d\d)(\d\d)([ T][\d:.]*)?$", r"19\1-\2-\3"
    )
    iso = pc.replace_substring_regex(iso, r"^(\d{4}-\d\d-\d\d)[ T][\d:.]*$", r"\1")
    return iso.cast(pa.date32()).take(encoded.indices)


def _from_birth_number(texts: pa.Array) -> dict[str, pa.Array]:
    """Birth date and gender from `YYMMDD`, where women's months have 50 added."""
    wanted = "a birth number, YYMMDD with 50 added to women's months"
    return {
        "gender": _convert_or_explain(BIRTH_NUMBER, texts, wanted, _birth_gender),
        "birth_date": _convert_or_explain(BIRTH_NUMBER, texts, wanted, _birth_date),
    }


def _birth_months(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    if texts.null_count or not pc.all(pc.match_substring_regex(texts, r"^\d{6}$")).as_py():
        raise pa.ArrowInvalid("not six digits")
    months = pc.utf8_slice_codeunits(texts, 2, 4).cast(pa.int64())
    return months, pc.greater(months, 50)


def _birth_gender(texts: pa.Array) -> pa.Array:
    _, women = _birth_months(texts)
    return pc.if_else(women, "F", "M")


def _birth_date(texts: pa.Array) -> pa.Array:
    months, women = _birth_months(texts)
    month = pc.if_else(women, pc.subtract(months, 50), months).cast(pa.string())
    parts = (
        pc.binary_join_element_wise("19", pc.utf8_slice_codeunits(texts, 0, 2), ""),
        pc.utf8_lpad(month, 2, "0"),
        pc.utf8_slice_codeunits(texts, 4, 6),
    )
    return pc.binary_join_element_wise(*parts, "-").cast(pa.date32())


_WANTED = {
    "integer": "a whole number",
    "decimal": "a number",
    "date": "a date, YYMMDD or YYYY-MM-DD",
    "text": "a text",
}
_CONVERSIONS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "integer": _integers,
    "decimal": _decimals,
    "date": _dates,
    "text": lambda texts: texts,
}
