"""How a table's text file is written: encoding, separator, header; and its cells as texts."""

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import pyarrow as pa
from pyarrow import csv as arrow_csv

from loan_pipeline.bank.convert import contract_names, missing_columns
from loan_pipeline.bank.errors import SourceError
from loan_pipeline.contracts.tables import Table
from loan_pipeline.sources.places import Place

_BLOCK_BYTES = 4 * 2**20
_BYTES_LOOKED_AT = 65_536
# Names of places stand in short files; the long ones hold numbers and codes.
_BYTES_DECODED = 16 * 2**20
_SEPARATORS = {";": "semicolons", ",": "commas", "\t": "tabs", "|": "vertical bars"}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATOR_LINE = re.compile(r"\s*\"?sep=(.)\"?\s*$", re.IGNORECASE)
_UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, UnicodeError)


@dataclass(frozen=True)
class TextFile:
    """One table's file and how it is written.

    Attributes:
        header: the columns in the contract's spelling where they are the contract's.
        first_row: lines before the first row.
    """

    place: Place
    encoding: str
    separator: str
    header: tuple[str, ...]
    first_row: int

    def texts(self) -> Iterator[pa.RecordBatch]:
        """The file's cells as texts, block by block; null where a cell is empty or `?`.

        Raises:
            SourceError: where the file is not well formed.
        """
        try:
            with self._utf8() as stream:
                yield from arrow_csv.open_csv(
                    pa.PythonFile(stream, mode="r"),
                    read_options=arrow_csv.ReadOptions(
                        block_size=_BLOCK_BYTES,
                        skip_rows=self.first_row,
                        column_names=list(self.header),
                    ),
                    parse_options=arrow_csv.ParseOptions(delimiter=self.separator),
                    convert_options=arrow_csv.ConvertOptions(
                        column_types=dict.fromkeys(self.header, pa.string()),
                        null_values=["", "?"],
                        strings_can_be_null=True,
                        quoted_strings_can_be_null=True,
                    ),
                )
        except pa.ArrowInvalid as error:
            if "Could not skip initial" in str(error) or "Empty CSV file" in str(error):
                return  # a header without an end of line, and no rows
            raise SourceError(f"{self.place.shown} is not well formed: {error}.") from None
        except _UNREADABLE as error:
            raise SourceError(f"{self.place.shown} cannot be read to its end: {error}.") from None

    def column(self, name: str) -> Iterable[pa.Array]:
        """All texts of one column."""
        return (batch.column(name) for batch in self.texts())

    def lines(self) -> Iterator[tuple[int, str]]:
        """The rows' lines that are not blank, each with its number in the file."""
        with io.TextIOWrapper(self.place.open(), self.encoding, errors="replace") as stream:
            for number, line in enumerate(stream, start=1):
                if number > self.first_row and line.strip():
                    yield number, line

    def expected_rows(self) -> int | None:
        """About how many rows there are, by the length of the first lines."""
        if not self.place.size:
            return None
        with self.place.open() as stream:
            start = stream.read(_BYTES_LOOKED_AT)
        ends = max(start.count(b"\n"), start.count(b"\r"))
        return max(round(ends * self.place.size / len(start)) - self.first_row, 0)

    def _utf8(self) -> IO[bytes]:
        stream = self.place.open()
        if self.encoding in ("utf-8", "utf-8-sig"):
            return stream
        return io.BufferedReader(_Recoded(io.TextIOWrapper(stream, self.encoding, newline="")))


class _Recoded(io.RawIOBase):
    """A text stream's characters as the bytes of UTF-8."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._waiting = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        self._waiting = self._waiting or self._text.read(_BYTES_LOOKED_AT).encode()
        part, self._waiting = self._waiting[: len(buffer)], self._waiting[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        self._text.close()
        super().close()


def inspect(table: Table, place: Place) -> TextFile:
    """Find out how a table's file is written.

    Raises:
        SourceError: the file cannot be read, or lacks columns.
    """
    try:
        encoding = _encoding(place)
        with place.open() as stream:
            head = _decoded(stream.read(_BYTES_LOOKED_AT), encoding)
    except _UNREADABLE as error:
        raise SourceError(f"{place.shown} cannot be read: {error}.") from None
    lines = re.split(r"\r\n|\n|\r", head)
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    separators: Sequence[str] = tuple(_SEPARATORS)
    if match := _SEPARATOR_LINE.match(lines[first]):
        separators, first = (match[1],), first + 1
    line = lines[first] if first < len(lines) else ""
    headers = {each: _cells(line, each) for each in separators}
    names = {each: contract_names(table, header) for each, header in headers.items()}
    # The separator that finds the most columns; of equals, the first one listed.
    separator = min(separators, key=lambda each: len(missing_columns(table, names[each])))
    missing = missing_columns(table, names[separator])
    if missing:
        found = ", ".join(cell for cell in headers[separator] if cell) or "nothing"
        raise SourceError(
            f"{place.shown}: column {', '.join(missing)} is missing. The first line must name the "
            f"columns {', '.join(table.column_names)}; it has {found} (read as {encoding}, "
            f"separated by {_SEPARATORS.get(separator, repr(separator))})."
        )
    return TextFile(place, encoding, separator, names[separator], first + 1)


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]


def _encoding(place: Place) -> str:
    """UTF-8 where all the file's bytes are, UTF-16 by its mark or its zeros, else Windows-1250."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with place.open() as stream:
        head = stream.read(_BYTES_LOOKED_AT)
        for mark, encoding in _MARKS:
            if head.startswith(mark):
                return encoding
        if b"\0" in head:
            return "utf-16-le" if b"\0" in head[1::2] and b"\0" not in head[::2] else "utf-16-be"
        try:
            block, read = head, 0
            while block and read < _BYTES_DECODED:
                decoder.decode(block)
                read += len(block)
                block = stream.read(_BLOCK_BYTES)
        except UnicodeDecodeError:
            return "cp1250"
    return "utf-8"


def _decoded(head: bytes, encoding: str) -> str:
    """The file's first characters; its last one may be cut."""
    return codecs.getincrementaldecoder(encoding)().decode(head)
