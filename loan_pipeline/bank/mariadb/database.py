"""The bank on a MariaDB server: schema, fill, consistent reads.

A fill goes into tables beside the bank's, which one atomic RENAME puts in their place.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pymysql
from pymysql.constants import ER

from loan_pipeline.bank.errors import BankConnectionLost, BankError
from loan_pipeline.bank.fill import Fill, refuse_unless_managed
from loan_pipeline.bank.mariadb.address import Address
from loan_pipeline.bank.mariadb.connection import Connection, connected, error_code
from loan_pipeline.bank.mariadb.load import add_references, create_table, load
from loan_pipeline.bank.mariadb.reader import MariaDBReader
from loan_pipeline.bank.protocol import Source
from loan_pipeline.contracts.tables import TABLES, Table

logger = logging.getLogger(__name__)

_NEW, _OLD = "_filling_", "_replaced_"
_FILLED_FROM = "_filled_from"
_NAMES = (*(table.name for table in TABLES), _FILLED_FROM)
_TRIES_TO_READ = 3
_ATTEMPTS_AFTER_LOSS = 7  # half a minute, for a server that starts again
# A source may think that long between two rows; a filler that is cut off holds its lock as long.
_SILENCE_SECONDS = 120


class MariaDBBank:
    """The bank in one database of a MariaDB server.

    Args:
        address: the server, the database and the login.
        managed: False where the database is the system of record and never written.
        lock_seconds: how long to wait for tables that others use.
    """

    def __init__(self, address: Address, *, managed: bool = True, lock_seconds: int = 60) -> None:
        self.name = address.name
        self._address = address
        self._managed = managed
        self._lock_seconds = lock_seconds

    def exists(self) -> bool:
        """Whether all tables are there."""
        with connected(self._address) as connection:
            return {table.name for table in TABLES} <= _tables(connection)

    def fill(self, source: Source) -> dict[str, int]:
        """Fill tables beside the old ones, validate them, and rename all at once.

        Starts over once where the connection breaks.
        """
        refuse_unless_managed(self._managed, self.name)
        try:
            return self._fill_once(self._address, source, lock_seconds=0)
        except BankConnectionLost as error:
            logger.warning("%s Starting the fill over.", error)
        patient = replace(self._address, attempts=_ATTEMPTS_AFTER_LOSS)
        return self._fill_once(patient, source, lock_seconds=_SILENCE_SECONDS + 10)

    def filled_from(self) -> str | None:
        """Name of the source that filled the database."""
        with connected(self._address) as connection:
            if _FILLED_FROM not in _tables(connection):
                return None
            [(source,)] = _execute(connection, f'SELECT source FROM "{_FILLED_FROM}"')
            return str(source)

    def row_counts(self) -> dict[str, int]:
        """The number of rows by table."""
        with self.reading() as reader:
            return {table.name: reader.row_count(table) for table in TABLES}

    @contextmanager
    def reading(self) -> Iterator[MariaDBReader]:
        """Read all tables as of one moment, in one transaction that locks no row."""
        with connected(self._address) as connection:
            for _ in range(_TRIES_TO_READ):
                if _begin_reading(connection):
                    break
            else:
                raise BankError(f"{self.name} is filled again and again. Read it later.")
            yield MariaDBReader(connection, self.name)

    def _fill_once(self, address: Address, source: Source, *, lock_seconds: int) -> dict[str, int]:
        with connected(address, local_infile=True) as connection:
            self._become_only_filler(connection, lock_seconds)
            return self._fill(connection, source)

    def _fill(self, connection: Connection, source: Source) -> dict[str, int]:
        for setting in (
            f"lock_wait_timeout = {self._lock_seconds}",
            f"net_read_timeout = {_SILENCE_SECONDS}",
            # References are validated by a query, which names the rows that break them.
            "foreign_key_checks = 0",
        ):
            _execute(connection, f"SET SESSION {setting}")
        _drop(connection, _NEW)
        try:

            def into(table: Table, batches: Iterator[pa.RecordBatch]) -> int:
                return _load_table(connection, table, batches)

            fill = Fill(source)
            counts = fill.load(into)
            fill.validate(MariaDBReader(connection, self.name, prefix=_NEW))
            _execute(
                connection,
                f'CREATE TABLE "{_NEW}{_FILLED_FROM}" '
                "(source VARCHAR(500) NOT NULL, filled_at TIMESTAMP NOT NULL)",
            )
            _execute(
                connection,
                f'INSERT INTO "{_NEW}{_FILLED_FROM}" VALUES (%s, CURRENT_TIMESTAMP)',
                source.name[:500],
            )
            _swap(connection)
        except BaseException:
            _drop_quietly(connection, _NEW)
            raise
        _drop_quietly(connection, _OLD)
        return counts

    def _become_only_filler(self, connection: Connection, seconds: int) -> None:
        """Take a lock that ends with the connection; wait that long for it."""
        name = f"fill {self._address.database}"[:64]
        [(taken,)] = _execute(connection, "SELECT GET_LOCK(%s, %s)", name, seconds)
        if not taken:
            raise BankError(
                f"{self.name} is being filled by another process. Wait until that is done, then "
                "fill again."
            )


def _begin_reading(connection: Connection) -> bool:
    """Begin a consistent read; False where a fill came in between."""
    _execute(connection, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    _execute(connection, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    for table in TABLES:
        try:
            # Touched once, a table stays the one it is until the transaction ends.
            _execute(connection, f'SELECT 1 FROM "{table.name}" LIMIT 0')
        except pymysql.MySQLError as error:
            if error_code(error) == ER.TABLE_DEF_CHANGED:
                _execute(connection, "ROLLBACK")
                return False
            if error_code(error) != ER.NO_SUCH_TABLE:  # reading that table will say so
                raise
    return True


def _load_table(connection: Connection, table: Table, batches: Iterator[pa.RecordBatch]) -> int:
    name = _NEW + table.name
    _execute(connection, create_table(table, name))
    count = load(connection, table, name, batches)
    references = add_references(table, _NEW)
    if references:
        _execute(connection, references)
    return count


def _swap(connection: Connection) -> None:
    """Put the new tables in the old ones' place: one statement, all or nothing."""
    _drop(connection, _OLD)
    existing = _tables(connection)
    steps = [f'"{name}" TO "{_OLD}{name}"' for name in _NAMES if name in existing]
    steps += [f'"{_NEW}{name}" TO "{name}"' for name in _NAMES]
    _execute(connection, f"RENAME TABLE {', '.join(steps)}")


def _drop(connection: Connection, prefix: str) -> None:
    names = ", ".join(f'"{prefix}{name}"' for name in reversed(_NAMES))
    _execute(connection, f"DROP TABLE IF EXISTS {names}")


def _drop_quietly(connection: Connection, prefix: str) -> None:
    """Tidy up; what cannot be dropped now is dropped by the next fill."""
    try:
        _drop(connection, prefix)
    except pymysql.MySQLError as error:
        logger.info("left tables %s* behind: %s", prefix, error)


def _tables(connection: Connection) -> set[str]:
    return {name for (name,) in _execute(connection, "SHOW TABLES")}


def _execute(connection: Connection, sql: str, *values: object) -> tuple[tuple[Any, ...], ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchall()
