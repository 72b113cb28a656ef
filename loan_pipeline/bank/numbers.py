"""Numbers as texts: which decimal and thousands separators a whole column is written with.

`8.000` is eight, or eight thousand. What one text leaves open is decided by all texts of the
column: where two readings fit them all, nothing is guessed.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

_PARSED_DECIMAL = pa.decimal128(38, 12)
# Kinds of blanks and apostrophes that spreadsheets put between thousands.
_BLANKS, _APOSTROPHES = r"[\x{a0}\x{2009}\x{202f}]", r"[\x{2019}\x{2bc}`]"
_SEPARATORS = ".,' "
# A point that is no thousands separator proves that points are decimal.
_DECIMAL_POINT = r"\.(\d{1,2}|\d{4,})$"
_MAY_BE_SEPARATED = r"[.,' `\x{a0}\x{2009}\x{202f}\x{2019}\x{2bc}]"


class AmbiguousNumbersError(ValueError):
    """A column of numbers that fits two readings; the message says which."""


@dataclass(frozen=True)
class NumberFormat:
    """How numbers are written: their decimal separator, and what groups thousands ("" nothing)."""

    decimal: str
    thousands: str

    @cached_property
    def pattern(self) -> str:
        """RE2 of a number with a fraction."""
        return self._pattern(rf"{re.escape(self.decimal)}\d*", rf"|{re.escape(self.decimal)}\d+")

    @cached_property
    def whole_pattern(self) -> str:
        """RE2 of a whole number, to which programs may add a fraction of zeros."""
        return self._pattern(rf"{re.escape(self.decimal)}0*", "")

    def _pattern(self, fraction: str, fraction_alone: str) -> str:
        whole = r"\d+"
        if self.thousands:
            whole += rf"|\d{{1,3}}({re.escape(self.thousands)}\d{{3}})+"
        exponent = r"([eE][+-]?\d+)?" if self == PLAIN else ""
        return rf"^[+-]?(({whole})({fraction})?{fraction_alone}){exponent}$"

    def plain(self, texts: pa.Array) -> pa.Array:
        """The texts as Arrow parses numbers: a decimal point, and nothing between thousands."""
        texts = _tidy(texts)
        if self.thousands:
            texts = pc.replace_substring(texts, self.thousands, "")
        return texts if self.decimal == "." else pc.replace_substring(texts, self.decimal, ".")


PLAIN = NumberFormat(".", "")
_FORMATS = (
    PLAIN,
    *(NumberFormat(".", thousands) for thousands in ",' "),
    NumberFormat(",", ""),
    *(NumberFormat(",", thousands) for thousands in ".' "),
)


def surely_plain(texts: pa.Array) -> bool | None:
    """Whether a part of a column proves that its points are decimal; None where it is open.

    False where it holds no separator at all, so that every reading gives the same numbers.
    """
    if pc.any(pc.match_substring_regex(texts, _DECIMAL_POINT)).as_py():
        return True
    return None if pc.any(pc.match_substring_regex(texts, _MAY_BE_SEPARATED)).as_py() else False


def format_of(columns: Iterable[pa.Array], *, whole: bool) -> NumberFormat:
    """The one format that fits every text of a column, or where none does, the most.

    Args:
        columns: all texts of the column, part by part.
        whole: the numbers have no fraction.

    Raises:
        AmbiguousNumbersError: where formats that give other numbers fit as well.
    """
    fitting = dict.fromkeys(_FORMATS, 0)
    examples: dict[str, str] = {}
    total = 0
    for part in columns:
        texts = _tidy(part.drop_null().unique())
        total += len(texts)
        for each in fitting:
            matches = pc.match_substring_regex(texts, each.whole_pattern if whole else each.pattern)
            fitting[each] += pc.sum(matches).as_py() or 0
        for separator in set(_SEPARATORS) - set(examples):
            found = texts.filter(pc.match_substring(texts, separator))
            if len(found):
                examples[separator] = found[0].as_py()
    complete = [each for each, count in fitting.items() if count == total]
    if not complete:
        return max(fitting, key=lambda each: fitting[each])
    return _only(complete, examples)


def _only(formats: Sequence[NumberFormat], examples: dict[str, str]) -> NumberFormat:
    """The format, where all of them give the separators that occur the same part."""
    for separator, text in examples.items():
        parts = {each.decimal == separator for each in formats}
        if len(parts) > 1:
            decimal = NumberFormat(separator, "").plain(pa.array([text]))[0].as_py()
            grouped = text.replace(separator, "")
            raise AmbiguousNumbersError(
                f"a number that can be read in one way only: {text!r} may be "
                f"{decimal.rstrip('0').rstrip('.')} or {grouped}. Write numbers with a decimal "
                "point and nothing between thousands, as 1234.50"
            )
    return formats[0]


def integers(texts: pa.Array, form: NumberFormat) -> pa.Array:
    """Whole numbers; a fraction of zeros, as some programs write, is dropped.

    Raises:
        pa.ArrowInvalid: on texts that are none.
    """
    plain = pc.replace_substring_regex(form.plain(texts), r"\.0*$", "")
    return plain.cast(pa.int64())


def decimals(texts: pa.Array, form: NumberFormat) -> pa.Array:
    """Decimal numbers with twelve digits behind the point.

    Raises:
        pa.ArrowInvalid: on texts that are none.
    """
    return form.plain(texts).cast(_PARSED_DECIMAL)


def plain_decimals(texts: pa.Array) -> pa.Array:
    """As `decimals`, of texts that need no tidying."""
    return texts.cast(_PARSED_DECIMAL)


def _tidy(texts: pa.Array) -> pa.Array:
    """One kind of blank and apostrophe, none around the number."""
    texts = pc.replace_substring_regex(texts, _BLANKS, " ")
    texts = pc.replace_substring_regex(texts, _APOSTROPHES, "'")
    return pc.utf8_trim_whitespace(texts)
