"""A SQL dump as a source: what mysqldump, mariadb-dump, Workbench and their kin write.

The dump is read, never executed: only its INSERT statements of literal values count, and a file
from outside cannot make the server do anything else. Splitting into statements is in `dump_sql`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from loan_pipeline.bank.convert import (
    RENAMED,
    BadColumn,
    Converter,
    contract_names,
    missing_columns,
)
from loan_pipeline.bank.errors import BadRowsError, SourceError
from loan_pipeline.contracts.tables import TABLES, TABLES_BY_NAME, Table
from loan_pipeline.sources.dump_sql import Create, DumpSyntaxError, Insert, rows_as_csv, statements
from loan_pipeline.sources.places import Place, listed

_BATCH_BYTES = 4 * 2**20


@dataclass
class _Run:
    """A stretch of a file in which every INSERT goes into one table."""

    place: Place
    start: int
    end: int


class DumpSource:
    """The eight tables of a dump: one file, or several of some tables each.

    Args:
        shown: what and where the dump is, for people.
        places: its files; those without rows of the tables, queries and notes, are passed over.

    Raises:
        SourceError: where a file cannot be read, or a table or a column is missing.
    """

    def __init__(self, shown: str, places: list[Place]) -> None:
        self.name = f"dump {shown}"
        self._columns: dict[str, tuple[str, ...]] = {}
        self._runs: dict[str, list[_Run]] = {}
        self._lacking: dict[str, str] = {}
        for place in places:
            self._index(place)
        missing = [table.name for table in TABLES if table.name not in self._runs]
        # A table that was created without a row is empty; the contract says which may be.
        problems = [
            f"{self.name} has no rows of table {name}."
            for name in missing
            if name not in self._columns
        ]
        problems += self._lacking.values()
        if problems:
            raise SourceError(
                "\n".join(problems)
                + f"\nDump all eight tables, with their data; read were: {listed(places)}."
            )

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        """The table's rows in the order of the dump."""
        converter = Converter(table, lambda name: (part[name] for part in self._texts(table)))
        keys: dict[int, str] = {}
        rows = 0
        for texts in self._texts(table):
            batch = converter.convert(texts)
            if batch is not None:
                yield batch
            named = {RENAMED.get((table.name, name), name): name for name in texts}
            key = texts[named[table.primary_key]]
            for column in converter.bad.values():
                for position, _ in column.rows:
                    if rows <= position < converter.rows:
                        keys[position] = key[position - rows].as_py()
            rows = converter.rows
        if converter.bad:
            raise BadRowsError(
                [self._explained(table, column, keys) for column in converter.bad.values()]
            )

    def _index(self, place: Place) -> None:
        """Note where each table's rows are, so that tables can be read in any order."""
        last = None
        try:
            for statement in _statements(place):
                if statement.table not in TABLES_BY_NAME:
                    continue
                table = TABLES_BY_NAME[statement.table]
                if isinstance(statement, Create):
                    self._columns[table.name] = contract_names(table, statement.columns)
                    continue
                self._require_columns(table, statement)
                if table.name == last:
                    self._runs[last][-1].end = statement.end
                else:
                    last = table.name
                    run = _Run(place, statement.start, statement.end)
                    self._runs.setdefault(last, []).append(run)
        except DumpSyntaxError as error:
            # A query without a semicolon at its end is no dump that breaks off.
            if last is not None or error.of_rows:
                raise SourceError(
                    f"The dump {place.shown} cannot be read to its end: {error}."
                ) from None

    def _texts(self, table: Table) -> Iterator[dict[str, pa.Array]]:
        """The table's cells as texts, some megabytes at a time."""
        waiting: list[bytes] = []
        columns: tuple[str, ...] = ()
        for run in self._runs.get(table.name, ()):
            for statement in _statements(run.place, run.start, run.end):
                if not isinstance(statement, Insert) or statement.table != table.name:
                    continue
                named = self._named_columns(table, statement)
                if named != columns or sum(map(len, waiting)) > _BATCH_BYTES:
                    yield from self._cells(table, columns, waiting)
                    waiting, columns = [], named
                try:
                    waiting.append(rows_as_csv(statement.values))
                except DumpSyntaxError as error:
                    raise BadRowsError([f"{self.name}, table {table.name}: {error}"]) from None
        yield from self._cells(table, columns, waiting)

    def _cells(
        self, table: Table, columns: tuple[str, ...], texts: list[bytes]
    ) -> Iterable[dict[str, pa.Array]]:
        if not texts:
            return ()
        try:
            return (_read(b"".join(texts), columns),)
        except pa.ArrowInvalid as error:
            raise BadRowsError(
                [f"{self.name}, table {table.name}, cannot be read: {error}"]
            ) from None

    def _named_columns(self, table: Table, statement: Insert) -> tuple[str, ...]:
        if statement.columns:
            return contract_names(table, statement.columns)
        return self._columns.get(table.name, table.column_names)

    def _require_columns(self, table: Table, statement: Insert) -> None:
        columns = self._named_columns(table, statement)
        missing = missing_columns(table, columns)
        if missing:
            self._lacking[table.name] = (
                f"{self.name}: table {table.name} lacks column {', '.join(missing)}; it has "
                f"{', '.join(columns)}."
            )

    def _explained(self, table: Table, column: BadColumn, keys: dict[int, str]) -> str:
        shown = "; ".join(
            f"row {position + 1}, {table.primary_key} {keys.get(position, '?')}: "
            f"{'empty' if value is None else repr(value)}"
            for position, value in column.rows
        )
        examples = f" ({shown})" if shown else ""
        return (
            f"{self.name}, table {table.name}: column {column.column} is not "
            f"{column.wanted}{examples}"
        )


def _statements(place: Place, start: int = 0, end: int | None = None) -> Iterator[Create | Insert]:
    try:
        with place.open() as stream:
            yield from statements(stream, start, end)
    except (OSError, EOFError) as error:
        raise SourceError(f"The dump {place.shown} cannot be read: {error}.") from None


def _read(text: bytes, columns: tuple[str, ...]) -> dict[str, pa.Array]:
    """Cells as texts; NULL and empty texts are null."""
    table = csv.read_csv(
        pa.BufferReader(text),
        csv.ReadOptions(column_names=list(columns), use_threads=False, block_size=len(text)),
        csv.ParseOptions(quote_char="'", newlines_in_values=True),
        csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            null_values=["NULL", "null"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    ).combine_chunks()
    return {
        name: pc.if_else(pc.equal(values, ""), None, values)
        for name, column in zip(columns, table.columns, strict=True)
        for values in [column.chunk(0)]
    }
