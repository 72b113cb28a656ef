"""How a CSV file is written: its encoding, separator and decimal sign. Answers keep to it."""

import codecs
import csv
import io
import re
from dataclasses import dataclass

from loan_pipeline.contracts.numbers_in_text import DecimalSign
from loan_pipeline.scoring.requests import ACCOUNT_FIELDS, APPLICATION_FIELDS
from webapp.batch.lines import BatchRejected

_SEPARATORS = ",;\t|"
_KNOWN_NAMES = {*ACCOUNT_FIELDS, *APPLICATION_FIELDS}
# Spreadsheets read and drop a first line that names the separator.
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?[,;\t|]*\r?(?:\n|$)', re.IGNORECASE)
_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    Attributes:
        encoding: Python's name of it; "utf-8-sig" and "utf-16" begin with a byte order mark.
        separator_line: whether the first line names the separator (`sep=;`).
    """

    separator: str = ","
    decimal: DecimalSign = "."
    encoding: str = "utf-8"
    separator_line: bool = False

    def first_line(self) -> str:
        """The line that names the separator, where the file had one."""
        return f"sep={self.separator}\r\n" if self.separator_line else ""


def decode(data: bytes) -> tuple[str, str]:
    """A file's text, without its byte order mark, and its encoding.

    Raises:
        BatchRejected: a workbook, or text in another encoding than UTF-8 or marked UTF-16.
    """
    if kind := _workbook(data):
        raise BatchRejected(
            f"This is {kind}, no CSV file. In the spreadsheet choose “Save as” or “Export”, then "
            "“CSV UTF-8 (.csv)”, and upload that file."
        )
    if data.startswith(_WIDE_MARKS):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BatchRejected(
            f"Line {line} is not {encoding.removesuffix('-sig').upper()}: save the file as UTF-8."
        ) from error


def _workbook(data: bytes) -> str | None:
    """What kind of workbook a file is; None where it is none."""
    if data.startswith(_OLD_EXCEL):
        return "an Excel workbook (.xls)"
    if not data.startswith(_ZIP):
        return None
    is_excel = b"xl/workbook.xml" in data  # names are not compressed
    return "an Excel workbook (.xlsx)" if is_excel else "an archive or workbook (.zip, .ods)"


def find_separator(text: str) -> tuple[str, int]:
    """The separator, and how many characters at the start name it.

    It is what the first line says (`sep=;`), or the one that finds most field names in the header.
    """
    if named := _SEPARATOR_LINE.match(text):
        return named[1], named.end()

    def names_found(separator: str) -> int:
        header = csv.reader(io.StringIO(text[:10_000], newline=""), delimiter=separator)
        try:
            return len(_KNOWN_NAMES & {name.strip().lower() for name in next(header, [])})
        except csv.Error:
            return 0

    return max(_SEPARATORS, key=names_found), 0
