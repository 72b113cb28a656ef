"""The bank and what can fill it, as interfaces; `open` chooses the bank that the settings name."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

import pyarrow as pa

from loan_pipeline.contracts.table_reader import TableReader
from loan_pipeline.contracts.tables import Table


class Source(Protocol):
    """Something that holds the eight tables.

    Attributes:
        name: says what it is; safe to log.
    """

    name: str

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        """The table's rows, with the contract's columns and Arrow types."""


@runtime_checkable
class Locating(Protocol):
    """A source that knows where a row stands in it, for error messages."""

    def places(self, table: Table, keys: Sequence[int]) -> str:
        """Where the rows with these primary keys stand ("loan.asc line 3, 9"), "" if nowhere."""


@runtime_checkable
class Sized(Protocol):
    """A source that knows, or can guess, how much there is to do."""

    def expected_rows(self, table: Table) -> int | None:
        """About how many rows the table has; None where that is not known."""


@runtime_checkable
class Closing(Protocol):
    """A source that holds something open from its first batch on."""

    def close(self) -> None:
        """Let go of it; batches may be asked for again afterwards."""


class Bank(Protocol):
    """The bank database.

    Attributes:
        name: what and where it is; safe to log.
    """

    name: str

    def exists(self) -> bool:
        """Whether all tables are there."""

    def fill(self, source: Source) -> dict[str, int]:
        """Replace all tables by the source's: all of them, or none where anything is wrong.

        Returns:
            The number of rows by table.
        """

    def filled_from(self) -> str | None:
        """Name of the source that filled the bank; None where that is not known."""

    def row_counts(self) -> dict[str, int]:
        """The number of rows by table."""

    def reading(self) -> AbstractContextManager[TableReader]:
        """One consistent read of all tables, untouched by a fill meanwhile."""
