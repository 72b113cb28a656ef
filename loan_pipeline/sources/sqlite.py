"""A SQLite file with the eight tables as a source."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa

from loan_pipeline.bank.convert import BadColumn, Converter, contract_names, missing_columns
from loan_pipeline.bank.errors import BadRowsError, SourceError
from loan_pipeline.contracts.tables import TABLES, Table

_MAGIC = b"SQLite format 3\0"
_BATCH_ROWS = 50_000


def is_sqlite(path: Path) -> bool:
    """Whether the file is a SQLite database, whatever its name."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


class SqliteSource:
    """The eight tables of a SQLite file, which is only read.

    Args:
        path: the file.

    Raises:
        SourceError: the file cannot be read, or lacks tables or columns; all of them are named.
    """

    def __init__(self, path: Path) -> None:
        self.name = f"SQLite file {path}"
        self._path = path
        found = self._tables()
        problems = []
        self._columns: dict[str, dict[str, str]] = {}  # the contract's name: the file's
        for table in TABLES:
            columns = found.get(table.name)
            if columns is None:
                others = ", ".join(found) or "none"
                problems.append(f"{self.name} has no table {table.name}; it has {others}.")
                continue
            named = contract_names(table, columns)
            if missing := missing_columns(table, named):
                problems.append(
                    f"{self.name}: table {table.name} lacks column {', '.join(missing)}; it has "
                    f"{', '.join(columns)}."
                )
            self._columns[table.name] = dict(zip(named, columns, strict=True))
        if problems:
            raise SourceError("\n".join([*problems, "Correct the file and fill again."]))

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        """The table's rows as they are stored."""
        names = list(self._columns[table.name])
        converter = Converter(table, lambda name: (part[0] for part in self._texts(table, [name])))
        for columns in self._texts(table, names):
            batch = converter.convert(dict(zip(names, columns, strict=True)))
            if batch is not None:
                yield batch
        if converter.bad:
            raise BadRowsError([self._explained(table, bad) for bad in converter.bad.values()])

    def expected_rows(self, table: Table) -> int:
        """The number of rows."""
        with closing(self._open()) as connection:
            [(count,)] = connection.execute(f'SELECT COUNT(*) FROM "{table.name}"')
        return int(count)

    def _texts(self, table: Table, names: list[str]) -> Iterator[list[pa.Array]]:
        columns = self._columns[table.name]
        cells = ", ".join(f'CAST("{columns[name]}" AS TEXT)' for name in names)
        try:
            with closing(self._open()) as connection:
                cursor = connection.execute(f'SELECT {cells} FROM "{table.name}"')
                while rows := cursor.fetchmany(_BATCH_ROWS):
                    yield [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        except sqlite3.Error as error:
            raise SourceError(f"{self.name}, table {table.name}: {error}.") from None

    def _tables(self) -> dict[str, list[str]]:
        """The file's tables by name in lower case, with their columns."""
        try:
            with closing(self._open()) as connection:
                names = connection.execute(
                    "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
                ).fetchall()
                return {
                    str(name).lower(): [
                        str(row[1])
                        for row in connection.execute("SELECT * FROM pragma_table_info(?)", (name,))
                    ]
                    for (name,) in names
                }
        except sqlite3.Error as error:
            raise SourceError(f"{self.name} cannot be read: {error}.") from None

    def _open(self) -> sqlite3.Connection:
        # A bank that is filled takes batches in threads of its own, one after the other.
        address = f"{self._path.resolve().as_uri()}?mode=ro"
        return sqlite3.connect(address, uri=True, check_same_thread=False)

    def _explained(self, table: Table, bad: BadColumn) -> str:
        shown = "; ".join(
            f"row {position + 1}: {'empty' if text is None else repr(text)}"
            for position, text in bad.rows
        )
        examples = f" ({shown})" if shown else ""
        return f"{self.name}, table {table.name}: column {bad.column} is not {bad.wanted}{examples}"
