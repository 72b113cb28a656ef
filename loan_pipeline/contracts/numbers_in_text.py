"""Numbers as people and programs write them in text: 96000.5, 96 000,50, 96.000,50, 96'000.

Decides nothing where a text can be read in two ways: 30.000 is 30 with a decimal point and 30000
with dots between thousands. What a whole column shows tells them apart, see `decimal_signs`.
"""

import re
from collections.abc import Iterable
from typing import Literal

DecimalSign = Literal[".", ","]
DECIMAL_SIGNS: tuple[DecimalSign, ...] = (".", ",")
_LONGEST = 40  # characters; a longer text is no number
# Spaces, minus and apostrophe have several characters that look alike.
_ALIKE = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2212": "-", "\u2019": "'"})


def _pattern(decimal: DecimalSign) -> re.Pattern[str]:
    thousands = "." if decimal == "," else ","
    point = re.escape(decimal)
    grouped = rf"[1-9]\d{{0,2}}(?P<group>[ '{thousands}])\d{{3}}(?:(?P=group)\d{{3}})*"
    return re.compile(rf"[+-]?(?:(?:{grouped}|\d+)(?:{point}\d*)?|{point}\d+)", re.ASCII)


_PATTERNS = {sign: _pattern(sign) for sign in DECIMAL_SIGNS}


def number(text: str, decimal: DecimalSign = ".") -> int | float | None:
    """The number that a text is with that decimal sign; None where it is none.

    Thousands may be grouped by the other sign, by blanks or by apostrophes, in threes.
    """
    if text.isascii() and text.isdigit() and len(text) <= _LONGEST:  # as most are
        return int(text)
    plain = text.translate(_ALIKE).strip()
    if len(plain) > _LONGEST or not _PATTERNS[decimal].fullmatch(plain):
        return None
    for sign in " ',.":
        if sign != decimal:
            plain = plain.replace(sign, "")
    return float(plain.replace(",", ".")) if decimal in plain else int(plain)


def decimal_signs(texts: Iterable[str]) -> set[DecimalSign]:
    """The decimal signs with which every number of a column can be read.

    Args:
        texts: the column; what is no number with either sign does not count.

    Returns:
        One sign where the column shows which it is. Both where every text allows both: those that
        mean the same (96000) can be used, the others (30.000) can be read in two ways. None where
        the column mixes signs.
    """
    signs = set(DECIMAL_SIGNS)
    for text in texts:
        fits = {sign for sign in DECIMAL_SIGNS if number(text, sign) is not None}
        if fits:
            signs &= fits
    return signs
