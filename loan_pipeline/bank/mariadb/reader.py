"""Reading MariaDB's tables into Arrow, in pages of one answer each.

The server joins a whole page of rows to one CSV text, which Arrow parses: the Python client then
handles a few dozen values instead of millions of rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from loan_pipeline.bank.arrow import arrow_schema
from loan_pipeline.bank.convert import Converter
from loan_pipeline.bank.errors import BankError
from loan_pipeline.bank.mariadb.connection import Connection
from loan_pipeline.contracts.column_types import may_hold, type_name
from loan_pipeline.contracts.tables import Table

_PAGE_ROWS = 20_000
# Types whose texts hold no separator, so that they need no quotes.
_PLAIN_TYPES = frozenset({"TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "DECIMAL", "DATE"})


class MariaDBReader:
    """A read through one connection; see `TableReader`.

    Args:
        connection: in a transaction, where the tables must be read as of one moment.
        name: the bank's, for messages.
        prefix: put before every table's name.
    """

    def __init__(self, connection: Connection, name: str, *, prefix: str = "") -> None:
        self._connection = connection
        self._name = name
        self._prefix = prefix

    def batches(self, table: Table) -> pa.RecordBatchReader:
        """The table's rows in the order of their key, a page at a time."""
        return pa.RecordBatchReader.from_batches(arrow_schema(table), self._pages(table))

    def row_count(self, table: Table) -> int:
        """How many rows the table has."""
        [(count,)] = self.rows(f"SELECT COUNT(*) FROM {self.sql_name(table)}")
        return int(count)

    def rows(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """The answer to a query that gives few rows."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def exact(self, expression: str) -> str:
        """Bytes compare letter by letter, whatever the column's collation."""
        return f"CAST({expression} AS BINARY)"

    def sql_name(self, table: Table) -> str:
        """The table's name in SQL, quoted."""
        return f'"{self._prefix}{table.name}"'

    def columns(self, table: Table) -> Mapping[str, str]:
        """The server's type of each column, in capitals."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT column_name, UPPER(column_type) FROM information_schema.columns "
                "WHERE table_schema = DATABASE() AND table_name = %s",
                (self._prefix + table.name,),
            )
            return dict(cursor.fetchall())

    def keys_are_unique(self, table: Table) -> bool:
        """Whether a unique index of the key column alone holds them so."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT COUNT(*) FROM (SELECT index_name FROM information_schema.statistics "
                "WHERE table_schema = DATABASE() AND table_name = %s AND non_unique = 0 "
                "GROUP BY index_name "
                "HAVING COUNT(*) = 1 AND MAX(column_name) = %s AND MAX(nullable) = '') i",
                (self._prefix + table.name, table.primary_key),
            )
            [(indexes,)] = cursor.fetchall()
        return int(indexes) > 0

    def _pages(self, table: Table) -> Iterator[pa.RecordBatch]:
        types = self.columns(table)
        line = self._line(table, types)
        converter = self._converter(table, types)
        key, name = f'"{table.primary_key}"', self.sql_name(table)
        self.rows("SET SESSION group_concat_max_len = @@max_allowed_packet")
        size, read, after = _PAGE_ROWS, 0, ""
        while True:
            [(last, count, length, text)] = self.rows(
                "SELECT MAX(k), COUNT(*), SUM(LENGTH(line)) + COUNT(*) - 1, "
                "CAST(GROUP_CONCAT(line SEPARATOR '\n') AS BINARY) FROM "
                f"(SELECT {key} AS k, {line} AS line FROM {name} {after} ORDER BY {key} "
                f"LIMIT {size}) AS page"
            )
            if count == 0:
                break
            if text is None or len(text) != length:
                # The page did not fit into one packet, and the server cut it.
                if size == 1:
                    raise BankError(
                        f"{self._name}: a row of table {table.name} is longer than the server's "
                        "max_allowed_packet. Set that higher."
                    )
                size = max(1, size // 4)
                continue
            yield _in_order(self._parse(table, text, converter))
            read += count
            after = f"WHERE {key} > {last}"
        if read != (count := self.row_count(table)):
            raise BankError(
                f"{self._name}: table {table.name} has {count:,} rows, but only {read:,} can be "
                f"read by their key: {table.primary_key} is empty or not unique in the others."
            )

    def _line(self, table: Table, types: Mapping[str, str]) -> str:
        """SQL for one row as a line of CSV, where nothing at all is null."""
        missing = [name for name in table.column_names if name not in types]
        if missing:
            what = f"columns {', '.join(missing)}" if types else "all its columns: it is missing"
            raise BankError(
                f"{self._name}: table {table.name} lacks {what}. Correct the table, or fill the "
                "bank again."
            )
        cells = []
        for name in table.column_names:
            cell = f'"{name}"'
            if type_name(types[name]) not in _PLAIN_TYPES:
                cell = f"CONCAT('\"', REPLACE({cell}, '\"', '\"\"'), '\"')"
            cells.append(f"IFNULL({cell}, '')")
        return f"CONCAT_WS(',', {', '.join(cells)})"

    def _converter(self, table: Table, types: Mapping[str, str]) -> Converter:
        """For columns of other types than the contract's; numbers may be kept as texts."""

        def all_texts(name: str) -> Iterator[pa.Array]:
            texts = self.rows(f'SELECT DISTINCT CAST("{name}" AS CHAR) FROM {self.sql_name(table)}')
            yield pa.array([text for (text,) in texts], pa.string())

        plain = frozenset(c.name for c in table.columns if may_hold(c, types[c.name]))
        return Converter(table, all_texts, plain)

    def _parse(self, table: Table, text: bytes, converter: Converter) -> pa.RecordBatch:
        schema = arrow_schema(table)
        try:
            batch = _read_csv(text, schema) if converter.numbers_are_plain else None
        except pa.ArrowInvalid:
            batch = None
        # Values of other types or with nulls that mean something take the long way.
        if batch is None or any(
            batch[column.name].null_count and not column.nullable for column in table.columns
        ):
            texts = _read_csv(text, pa.schema([(name, pa.string()) for name in schema.names]))
            before = converter.rows
            batch = converter.convert(dict(zip(schema.names, texts.columns, strict=True)))
            for bad in converter.bad.values():
                keys = [(texts.column(0)[row - before].as_py(), value) for row, value in bad.rows]
                shown = ", ".join(f"{table.primary_key} {key}: {value}" for key, value in keys)
                raise BankError(
                    f"{self._name}: in table {table.name}, column {bad.column} is not "
                    f"{bad.wanted} ({shown}). Correct the rows."
                )
        return batch


def _in_order(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows by key: the server joins them in that order, but does not promise it."""
    keys = batch.column(0)
    if pc.all(pc.less(keys[:-1], keys[1:])).as_py() is False:
        return batch.take(pc.sort_indices(keys))
    return batch


def _read_csv(text: bytes, schema: pa.Schema) -> pa.RecordBatch:
    table = csv.read_csv(
        pa.BufferReader(text),
        csv.ReadOptions(column_names=schema.names, use_threads=False, block_size=max(len(text), 1)),
        csv.ParseOptions(newlines_in_values=True),
        csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    return table.combine_chunks().to_batches()[0]
