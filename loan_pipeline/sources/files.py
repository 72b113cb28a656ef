"""Eight text files, one a table, as a source: the PKDD'99 challenge's, or with our own columns.

How a file is written is found in `text_file`, where it is in `places`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from loan_pipeline.bank.convert import RENAMED, BadColumn, Converter
from loan_pipeline.bank.errors import BadRowsError, SourceError
from loan_pipeline.contracts.tables import TABLES, Table
from loan_pipeline.sources.places import Place, listed
from loan_pipeline.sources.text_file import TextFile, inspect

ENDINGS = (".asc", ".csv", ".tsv", ".txt")
_LINES_SHOWN = 10


def table_files(places: list[Place]) -> dict[str, dict[str, list[Place]]]:
    """The files that are named as tables, by their folder and table."""
    found: dict[str, dict[str, list[Place]]] = defaultdict(lambda: defaultdict(list))
    names = {table.name + ending: table.name for table in TABLES for ending in ENDINGS}
    for place in places:
        if place.name in names:
            found[place.folder][names[place.name]].append(place)
    return found


class FilesSource:
    """Eight files, one a table, with a header row.

    Args:
        shown: what and where the files are, for people.
        places: the files found there.

    Raises:
        SourceError: where a file or a column is missing; all of them are named.
    """

    def __init__(self, shown: str, places: list[Place]) -> None:
        self.name = f"files in {shown}"
        self._files: dict[str, TextFile] = {}
        problems = []
        for name, found in _chosen(shown, places).items():
            table = next(table for table in TABLES if table.name == name)
            try:
                self._files[name] = inspect(table, found)
            except SourceError as error:
                problems.append(str(error))
        if problems:
            raise SourceError("\n".join([*problems, "Correct the files and fill again."]))

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        """The file's rows, read in blocks of some megabytes."""
        file = self._files[table.name]
        converter = Converter(table, file.column)
        try:
            for texts in file.texts():
                batch = converter.convert(dict(zip(file.header, texts.columns, strict=True)))
                if batch is not None:
                    yield batch
        except SourceError as error:
            raise BadRowsError([*_explained(file, converter.bad), str(error)]) from None
        if converter.bad:
            raise BadRowsError(_explained(file, converter.bad))

    def expected_rows(self, table: Table) -> int | None:
        """About how many rows the file has."""
        return self._files[table.name].expected_rows()

    def places(self, table: Table, keys: Sequence[int]) -> str:
        """File and line numbers of the rows with these primary keys."""
        file = self._files[table.name]
        names = [RENAMED.get((table.name, name), name) for name in file.header]
        position = names.index(table.primary_key)
        wanted = set(keys)
        found: list[int] = []
        for number, line in file.lines():
            cells = line.split(file.separator, position + 1)
            text = cells[position].strip().strip('"').removesuffix(".0") if cells[position:] else ""
            if text.isdecimal() and int(text) in wanted:
                found.append(number)
        if not found:
            return ""
        more = ", …" if len(found) > _LINES_SHOWN else ""
        return f"{file.place.shown} line {', '.join(map(str, found[:_LINES_SHOWN]))}{more}"


def _chosen(shown: str, places: list[Place]) -> dict[str, Place]:
    """The one file of each table, from the one folder that holds them."""
    folders = table_files(places)
    complete = [folder for folder, found in folders.items() if len(found) == len(TABLES)]
    if len(complete) > 1:
        raise SourceError(
            f"{shown} holds the eight files more than once, in the folders {', '.join(complete)}: "
            "name one of them as the source."
        )
    chosen = complete[0] if complete else max(folders, key=lambda f: len(folders[f]), default="")
    found = folders[chosen] if folders else {}
    problems = [
        f"{' and '.join(place.shown for place in files)} both hold table {name}: keep one."
        for name, files in found.items()
        if len(files) > 1
    ]
    missing = [table.name for table in TABLES if table.name not in found]
    if missing:
        problems.append(
            f"{shown} lacks {', '.join(f'{name}.asc' for name in missing)} (a name may also end "
            f"in {', '.join(ENDINGS[1:])}, packed with .gz or in a zip). Put the files of all "
            f"eight tables there; found: {listed(places)}."
        )
    if problems:
        raise SourceError("\n".join(problems))
    return {name: files[0] for name, files in found.items()}


def _explained(file: TextFile, bad: Mapping[str, BadColumn]) -> list[str]:
    """One line a column, with the numbers of the first lines at fault."""
    wanted = {position for column in bad.values() for position, _ in column.rows}
    lines: dict[int, int] = {}
    for position, (number, _) in enumerate(file.lines() if wanted else ()):
        if position in wanted:
            lines[position] = number
        if len(lines) == len(wanted):
            break
    problems = []
    for column in bad.values():
        shown = "; ".join(
            f"line {lines.get(position, '?')}: {'empty' if text is None else repr(text)}"
            for position, text in column.rows
        )
        examples = f" ({shown})" if shown else ""
        problems.append(
            f"{file.place.shown}: column {column.column} is not {column.wanted}{examples}"
        )
    return problems
