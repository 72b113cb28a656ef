"""Another MariaDB server with the same tables as a source, the public CTU server among them."""

from collections.abc import Iterator
from contextlib import ExitStack

import pyarrow as pa
import pymysql

from loan_pipeline.bank.errors import BankUnreachable, SourceError
from loan_pipeline.bank.mariadb.address import Address
from loan_pipeline.bank.mariadb.connection import in_words
from loan_pipeline.bank.mariadb.database import MariaDBBank
from loan_pipeline.bank.mariadb.reader import MariaDBReader
from loan_pipeline.contracts.tables import TABLES, Table

# Open to everybody: https://relational.fel.cvut.cz
CTU = Address(
    host="relational.fel.cvut.cz",
    port=3306,
    user="guest",
    password="ctu-relational",  # noqa: S106 - published
    database="financial",
    attempts=1,
    connect_seconds=5,
)


class ServerSource:
    """The eight tables of another server, read as of one moment.

    Args:
        address: where they are; only read.
        otherwise: what to do where the server does not answer.
    """

    def __init__(self, address: Address, otherwise: str = "") -> None:
        self.name = address.name
        self._address = address
        self._bank = MariaDBBank(address, managed=False)
        self._otherwise = otherwise
        self._reader: MariaDBReader | None = None
        self._open = ExitStack()

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        """The table's rows, all tables in one transaction until `close`."""
        reader = self._reading()
        try:
            yield from reader.batches(table)
        except pymysql.MySQLError as error:
            # Not to be taken for an error of the bank that is being filled.
            raise in_words(error, self._address) from error

    def expected_rows(self, table: Table) -> int:
        """The number of rows, counted by the server."""
        return self._reading().row_count(table)

    def close(self) -> None:
        """End the transaction and the connection."""
        self._reader = None
        self._open.close()

    def _reading(self) -> MariaDBReader:
        if self._reader is None:
            try:
                self._reader = self._open.enter_context(self._bank.reading())
                self._require_tables(self._reader)
            except BankUnreachable as error:
                raise SourceError(f"{error} {self._otherwise}".rstrip()) from None
        return self._reader

    def _require_tables(self, reader: MariaDBReader) -> None:
        """Name every table and column that is missing, before any row is read."""
        problems = []
        for table in TABLES:
            types = reader.columns(table)
            missing = [name for name in table.column_names if name not in types]
            if not types:
                problems.append(f"there is no table {table.name}")
            elif missing:
                problems.append(
                    f"table {table.name} lacks column {', '.join(missing)}; it has "
                    f"{', '.join(types)}"
                )
        if problems:
            raise SourceError(
                f"{self.name} cannot be a source: {'; '.join(problems)}. Check the database's name "
                "and what the login may read; tables of other names need views "
                "(loan-pipeline bank views)."
            )


def ctu_source() -> ServerSource:
    """The public copy of the original bank."""
    return ServerSource(
        CTU,
        "This public server is often away. Use instead: --source sample (an invented bank), "
        "a folder of the PKDD'99 files, or a .sql dump of the database.",
    )
