"""The bank: the interface that the embedded file and MariaDB share, and which one is in use."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pyarrow as pa

from loan_pipeline.bank.source import Source
from loan_pipeline.contracts.tables import Table
from loan_pipeline.settings import Settings

logger = logging.getLogger(__name__)


class BankReader(Protocol):
    """One consistent view of all tables, valid until its context ends.

    Its SQL is standard with double quotes around names, so that one text serves both databases.
    """

    def batches(self, table: Table) -> pa.RecordBatchReader:
        """The table's rows, always in one order, streamed, in the contract's Arrow types."""

    def row_count(self, table: Table) -> int:
        """How many rows the table has."""

    def rows(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """The answer to a query that gives few rows."""

    def exact(self, expression: str) -> str:
        """SQL by which texts compare letter by letter, case and trailing blanks included."""

    def sql_name(self, table: Table) -> str:
        """The table's name in SQL, quoted."""

    def columns(self, table: Table) -> Mapping[str, str]:
        """The database's own type of each column, in capitals; empty without the table."""


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
        """Name of the source that filled the bank; None where nobody knows."""

    def row_counts(self) -> dict[str, int]:
        """The number of rows by table."""

    def reading(self) -> AbstractContextManager[BankReader]:
        """One consistent read of all tables, untouched by a fill meanwhile."""


def open_bank(settings: Settings) -> Bank:
    """The bank that the settings name: MariaDB at `database_url`, else the embedded file."""
    if settings.database_url is None:
        from loan_pipeline.bank.embedded import EmbeddedBank

        return EmbeddedBank(settings.embedded_bank_path, managed=settings.bank_managed)
    from loan_pipeline.bank.address import parse_address
    from loan_pipeline.bank.mariadb import MariaDBBank

    address = parse_address(settings.database_url.get_secret_value(), bastion=settings.bastion)
    if not address.is_private:
        logger.warning(
            "The connection to %s is not verified: add ?ssl_ca=FILE to LOAN_DATABASE_URL "
            "(or ?ssl=true for the system's authorities).",
            address.name,
        )
    return MariaDBBank(address, managed=settings.bank_managed)
