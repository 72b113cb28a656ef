"""The PKDD'99 challenge's files, in a folder or in one zip, as a source.

Also takes CSV files with the contract's own columns. Values are converted in `convert`.
"""

import gzip
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, cast

import pyarrow as pa
from pyarrow import csv

from loan_pipeline.bank.convert import (
    BIRTH_NUMBER,
    RENAMED,
    BadValuesError,
    convert,
    missing_columns,
)
from loan_pipeline.bank.errors import SourceError
from loan_pipeline.contracts.tables import TABLES, Table

_ENDINGS = (".asc", ".csv", ".asc.gz", ".csv.gz")
_BLOCK_BYTES = 4 * 2**20
_BYTES_LOOKED_AT = 65_536
_AGAIN = "Correct the file and fill again; the bank was left as it was."


@dataclass(frozen=True)
class _Found:
    """A file that may hold a table; `size` in bytes, unpacked, None where nobody knows."""

    place: str
    open: Callable[[], IO[bytes]]
    size: int | None


@dataclass(frozen=True)
class _TableFile(_Found):
    """One table's file and how it is written."""

    delimiter: str
    header: tuple[str, ...]


class FilesSource:
    """Eight files, one a table, with a header row; nulls are empty or `?`.

    Args:
        path: a folder with `account.asc` and so on, or a zip file of them.

    Raises:
        SourceError: where the folder, a file or a column is missing.
    """

    def __init__(self, path: Path) -> None:
        self.name = f"files in {path}"
        found = _in_folder(path) if path.is_dir() else _in_zip(path)
        if not found and len(archives := sorted(path.glob("*.zip"))) == 1:
            found = _in_zip(archives[0])
        missing = [table.name for table in TABLES if table.name not in found]
        if missing:
            raise SourceError(
                f"{path} lacks {', '.join(f'{name}.asc' for name in missing)} "
                f"(a name may also end in {', '.join(_ENDINGS[1:])}). "
                "Put the files of all eight tables there."
            )
        self._files = {table.name: _inspect(table, found[table.name]) for table in TABLES}

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        """The file's rows, read in blocks of some megabytes."""
        file = self._files[table.name]
        offset = 0
        for texts in _text_batches(file):
            columns = dict(zip(file.header, texts.columns, strict=True))
            try:
                yield convert(table, columns)
            except BadValuesError as error:
                raise SourceError(_explain(file, error, offset)) from None
            offset += texts.num_rows

    def expected_rows(self, table: Table) -> int | None:
        """About how many rows the file has, by the length of its first lines."""
        file = self._files[table.name]
        if not file.size:
            return None
        with file.open() as stream:
            start = stream.read(_BYTES_LOOKED_AT)
        return round(start.count(b"\n") * file.size / len(start)) - 1

    def places(self, table: Table, keys: Sequence[int]) -> Mapping[int, str]:
        """File and line numbers of the rows with these primary keys."""
        file = self._files[table.name]
        names = [RENAMED.get((table.name, name), name) for name in file.header]
        position = names.index(table.primary_key)
        wanted = set(keys)
        lines: dict[int, list[int]] = {}
        with file.open() as stream:
            for number, line in enumerate(stream, start=1):
                cells = line.decode(errors="replace").split(file.delimiter, position + 1)
                text = cells[position].strip().strip('"') if len(cells) > position else ""
                if text.isdecimal() and int(text) in wanted:
                    lines.setdefault(int(text), []).append(number)
        return {
            key: f"{file.place} line {', '.join(map(str, numbers[:5]))}"
            for key, numbers in lines.items()
        }


def _in_folder(folder: Path) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    for path in sorted(folder.iterdir()):
        packed = path.suffix.lower() == ".gz"
        size = None if packed else path.stat().st_size
        opener = partial(_open_gzip if packed else _open, path)
        _add(found, path.name, _Found(str(path), opener, size))
    return found


def _in_zip(path: Path) -> dict[str, _Found]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except FileNotFoundError:
        raise SourceError(f"There is no file {path}.") from None
    except (zipfile.BadZipFile, OSError) as error:
        raise SourceError(f"{path} cannot be read as a zip file: {error}.") from None
    found: dict[str, _Found] = {}
    for member in members:
        name = member.filename
        if "__MACOSX" not in name:
            opener = partial(_open_member, path, name)
            size = member.file_size
            _add(found, PurePosixPath(name).name, _Found(f"{path}:{name}", opener, size))
    return found


def _open(path: Path) -> IO[bytes]:
    return path.open("rb")


def _open_gzip(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path))


def _open_member(path: Path, member: str) -> IO[bytes]:
    with zipfile.ZipFile(path) as archive:
        return archive.open(member)  # stays readable after the archive is closed


def _add(found: dict[str, _Found], name: str, file: _Found) -> None:
    for table in TABLES:
        if name.lower() in {table.name + ending for ending in _ENDINGS}:
            if table.name in found:
                raise SourceError(
                    f"{found[table.name].place} and {file.place} both hold table {table.name}: "
                    "keep one."
                )
            found[table.name] = file


def _inspect(table: Table, file: _Found) -> _TableFile:
    """Read the header row and refuse a file without the columns needed."""
    try:
        with file.open() as stream:
            first = stream.readline(65536).decode("utf-8-sig", errors="replace").strip()
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise SourceError(f"{file.place} cannot be read: {error}.") from None
    delimiter = ";" if first.count(";") >= first.count(",") else ","
    known = {name.lower(): name for name in (*table.column_names, "A1", BIRTH_NUMBER)}
    cells = [cell.strip().strip('"') for cell in first.split(delimiter)]
    header = tuple(known.get(cell.lower(), cell) for cell in cells)
    missing = missing_columns(table, set(header))
    if missing:
        raise SourceError(
            f"{file.place}: column {', '.join(missing)} is missing. The first line must name the "
            f"columns {', '.join(table.column_names)}; it has {', '.join(cells)}. {_AGAIN}"
        )
    return _TableFile(file.place, file.open, file.size, delimiter, header)


def _text_batches(file: _TableFile) -> Iterator[pa.RecordBatch]:
    """The file's cells as texts, null where empty or `?`."""
    try:
        with file.open() as stream:
            reader = csv.open_csv(
                pa.PythonFile(stream, mode="r"),
                read_options=csv.ReadOptions(
                    block_size=_BLOCK_BYTES, skip_rows=1, column_names=list(file.header)
                ),
                parse_options=csv.ParseOptions(delimiter=file.delimiter),
                convert_options=csv.ConvertOptions(
                    column_types=dict.fromkeys(file.header, pa.string()),
                    null_values=["", "?"],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=True,
                ),
            )
            yield from reader
    except pa.ArrowInvalid as error:
        if "Could not skip initial" in str(error):
            return  # a header without an end of line, and no rows
        raise SourceError(f"{file.place} is not well formed: {error}. {_AGAIN}") from None
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise SourceError(f"{file.place} cannot be read to its end: {error}. {_AGAIN}") from None


def _explain(file: _TableFile, error: BadValuesError, offset: int) -> str:
    """The message for values that could not be converted, with their line numbers."""
    rows = {offset + position: text for position, text in error.rows}
    shown = []
    with file.open() as stream:
        row = -1  # the header
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue  # blank lines are no rows
            row += 1
            if row - 1 in rows:
                text = rows[row - 1]
                shown.append(f"line {number}: {'empty' if text is None else repr(text)}")
            if len(shown) == len(rows):
                break
    return (
        f"{file.place}: column {error.column} is not {error.wanted} ({'; '.join(shown)}). {_AGAIN}"
    )
