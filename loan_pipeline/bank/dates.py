"""Dates as texts: the challenge's YYMMDD and birth numbers, and the ways programs write ISO dates.

Whether a day or a month comes first cannot be known, so neither order is read.
"""

import pyarrow as pa
import pyarrow.compute as pc

WANTED = "a date, YYMMDD, YYYYMMDD or YYYY-MM-DD"
WANTED_BIRTH_NUMBER = "a birth number, YYMMDD with 50 added to women's months"

# What follows a date: a time, and its zone; the date is the one that is written.
_TIME = r"([ T]+\d{1,2}:\d\d(:\d\d(\.\d*)?)? ?(Z|UTC|[+-]\d\d(:?\d\d)?)?)?"
_SPELLINGS = (
    (rf"^(\d\d)(\d\d)(\d\d){_TIME}$", r"19\1-\2-\3"),
    (rf"^(\d{{4}})(\d\d)(\d\d){_TIME}$", r"\1-\2-\3"),
    (rf"^(\d{{4}})[-/.](\d\d)[-/.](\d\d){_TIME}$", r"\1-\2-\3"),
    (rf"^(\d{{4}})[-/.](\d)[-/.](\d\d?){_TIME}$", r"\1-0\2-\3"),
    (rf"^(\d{{4}})[-/.](\d\d?)[-/.](\d){_TIME}$", r"\1-\2-0\3"),
)


def dates(texts: pa.Array) -> pa.Array:
    """Dates from texts.

    Raises:
        pa.ArrowInvalid: on texts that are none.
    """
    # A column holds few different dates: convert each once.
    encoded = texts.dictionary_encode()
    return _each(encoded.dictionary).take(encoded.indices)


def _each(texts: pa.Array) -> pa.Array:
    texts = without_fraction(texts)
    for pattern, iso in _SPELLINGS:
        texts = pc.replace_substring_regex(texts, pattern, iso)
    return texts.cast(pa.date32())


def without_fraction(texts: pa.Array) -> pa.Array:
    """Whole numbers without blanks, and without the `.0` of programs that write them as floats."""
    return pc.replace_substring_regex(pc.utf8_trim_whitespace(texts), r"^(\d+)\.0+$", r"\1")


def birth_gender(texts: pa.Array) -> pa.Array:
    """M or F from birth numbers.

    Raises:
        pa.ArrowInvalid: on texts that are none.
    """
    return pc.if_else(_women(texts), "F", "M")


def birth_date(texts: pa.Array) -> pa.Array:
    """Dates from birth numbers.

    Raises:
        pa.ArrowInvalid: on texts that are none.
    """
    women = _women(texts)
    texts = without_fraction(texts)
    months = _months(texts)
    month = pc.if_else(women, pc.subtract(months, 50), months).cast(pa.string())
    parts = (
        pc.binary_join_element_wise("19", pc.utf8_slice_codeunits(texts, 0, 2), ""),
        pc.utf8_lpad(month, 2, "0"),
        pc.utf8_slice_codeunits(texts, 4, 6),
    )
    return pc.binary_join_element_wise(*parts, "-").cast(pa.date32())


def _women(texts: pa.Array) -> pa.Array:
    texts = without_fraction(texts)
    if texts.null_count or not pc.all(pc.match_substring_regex(texts, r"^\d{6}$")).as_py():
        raise pa.ArrowInvalid("not six digits")
    return pc.greater(_months(texts), 50)


def _months(texts: pa.Array) -> pa.Array:
    return pc.utf8_slice_codeunits(texts, 2, 4).cast(pa.int64())
