"""Reading through a DuckDB connection: the embedded bank, and batches on their way into a bank."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from loan_pipeline.bank.arrow import arrow_schema
from loan_pipeline.bank.errors import BankError
from loan_pipeline.contracts.tables import Table
from loan_pipeline.duckdb_connection import count_keys_out_of_order

_BATCH_ROWS = 100_000


class EmbeddedReader:
    """A read of the embedded bank; see `TableReader`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def batches(self, table: Table) -> pa.RecordBatchReader:
        """The table's rows in the order they were filled, streamed."""
        # Not by key: sorting would need the whole table in memory.
        columns = ", ".join(f'"{name}"' for name in table.column_names)
        # A cursor of its own lets two tables be read at once.
        result = self._connection.cursor().execute(f'SELECT {columns} FROM "{table.name}"')
        reader = result.to_arrow_reader(_BATCH_ROWS)
        if reader.schema != arrow_schema(table):
            raise BankError(
                f"Table {table.name} of the embedded bank has other types than the contract: "
                f"{reader.schema}. Fill the bank again."
            )
        return reader

    def row_count(self, table: Table) -> int:
        """How many rows the table has."""
        [(count,)] = self.rows(f'SELECT COUNT(*) FROM "{table.name}"')
        return int(count)

    def rows(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """The answer to a query that gives few rows."""
        return self._connection.execute(sql).fetchall()

    def exact(self, expression: str) -> str:
        """DuckDB compares letter by letter as it is."""
        return expression

    def sql_name(self, table: Table) -> str:
        """The table's name in SQL, quoted."""
        return f'"{table.name}"'

    def keys_are_unique(self, table: Table) -> bool:
        """Keys that ascend in whatever order the rows are read are unique; it takes no memory."""
        [(others,)] = self.rows(count_keys_out_of_order(table.primary_key, self.sql_name(table)))
        return int(others) == 0

    def columns(self, table: Table) -> Mapping[str, str]:
        """DuckDB's type of each column."""
        return dict(
            self._connection.execute(
                "SELECT column_name, data_type FROM information_schema.columns "
                "WHERE table_name = ?",
                [table.name],
            ).fetchall()
        )
