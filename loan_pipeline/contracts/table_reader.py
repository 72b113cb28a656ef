"""Reading the eight tables: what a bank, a snapshot and batches on their way have in common.

An interface alone; the readers are in `bank/` and `quality/`.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from loan_pipeline.contracts.tables import Table

if TYPE_CHECKING:
    import pyarrow as pa


class RowReader(Protocol):
    """Rows of tables, table by table."""

    def batches(self, table: Table) -> "pa.RecordBatchReader":
        """The table's rows, always in one order, streamed, in the contract's Arrow types."""

    def row_count(self, table: Table) -> int:
        """How many rows the table has."""


class TableReader(RowReader, Protocol):
    """One consistent view of all tables, valid until its context ends.

    Its SQL is standard with double quotes around names, so that one text serves both databases.
    """

    def rows(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """The answer to a query that gives few rows."""

    def exact(self, expression: str) -> str:
        """SQL by which texts compare letter by letter, case and trailing blanks included."""

    def sql_name(self, table: Table) -> str:
        """The table's name in SQL, quoted."""

    def columns(self, table: Table) -> Mapping[str, str]:
        """The database's own type of each column, in capitals; empty without the table."""

    def keys_are_unique(self, table: Table) -> bool:
        """Whether it is plain without a search that no key is empty or there twice.

        An index or ascending keys make it plain; a hundred million keys in memory would not fit.
        """


Reader_co = TypeVar("Reader_co", covariant=True)


class ReadableBank(Protocol[Reader_co]):
    """A bank as far as it is read."""

    @property
    def name(self) -> str:
        """What and where it is, safe to log."""

    def reading(self) -> AbstractContextManager[Reader_co]:
        """One consistent read of all tables."""
