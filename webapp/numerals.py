"""Numbers as people type them, in forms and CSV files alike."""

import re

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_LONGEST = 40
_GAPS = str.maketrans("", "", " \t\u00a0\u202f")  # people write 96 000


def number_or_text(text: str) -> object:
    """The number; None where there is nothing; the text itself where it is no number."""
    plain = text.translate(_GAPS)
    if not plain:
        return None
    if len(plain) > _LONGEST or not _NUMBER.fullmatch(plain):
        return text
    return float(plain) if "." in plain else int(plain)
