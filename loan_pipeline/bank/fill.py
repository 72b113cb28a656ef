"""Loading a source into either database: rows are checked on the way, problems are all reported."""

from collections.abc import Callable, Iterable, Iterator

import duckdb
import pyarrow as pa

from loan_pipeline.bank.arrow import check_batch
from loan_pipeline.bank.embedded.reader import EmbeddedReader
from loan_pipeline.bank.errors import BadRowsError, BankError, RepeatedKeysError, SourceError
from loan_pipeline.bank.protocol import Closing, Locating, Sized, Source
from loan_pipeline.contracts.table_reader import TableReader
from loan_pipeline.contracts.tables import TABLES, TABLES_BY_NAME, Table
from loan_pipeline.duckdb_connection import duckdb_connection
from loan_pipeline.progress import track, warn
from loan_pipeline.quality.relations import relation_violations, repeated_keys
from loan_pipeline.quality.rows import RowRules
from loan_pipeline.quality.violation import Violation

_PROBLEMS_SHOWN = 20
_CHECKER_GB = 0.3

LoadTable = Callable[[Table, Iterator[pa.RecordBatch]], int]


def refuse_unless_managed(managed: bool, bank: str) -> None:
    """Stop a fill of a bank that is the system of record."""
    if not managed:
        raise BankError(
            f"The {bank} is the system of record (LOAN_BANK_MANAGED=false), so it is never "
            "written. Leave out the source, or set LOAN_BANK_MANAGED=true for a bank of our own."
        )


class Fill:
    """One fill of a bank from a source, and everything that is wrong with the source.

    Attributes:
        problems: what no bank may hold, in words, with its place in the source.
    """

    def __init__(self, source: Source) -> None:
        self.problems: list[str] = []
        self._source = source
        self._sound: list[Table] = []

    def load(self, into: LoadTable) -> dict[str, int]:
        """Hand every table's checked batches to `into`, which returns the number of rows.

        Returns:
            The number of rows by table; tables with problems are not complete.
        """
        try:
            # One thread: the other processor is the database's.
            with duckdb_connection(gigabytes=_CHECKER_GB, threads=1) as checker:
                return {table.name: self._load_table(table, into, checker) for table in TABLES}
        finally:
            if isinstance(self._source, Closing):
                self._source.close()

    def _load_table(self, table: Table, into: LoadTable, checker: duckdb.DuckDBPyConnection) -> int:
        before, count = len(self.problems), 0
        rules = RowRules(table)
        expected = self._source.expected_rows(table) if isinstance(self._source, Sized) else None
        with track(f"Loading {table.name}", expected) as task:

            def batches() -> Iterator[pa.RecordBatch]:
                try:
                    for batch in self._source.batches(table):
                        check_batch(table, batch, self._source.name)
                        checker.register(table.name, batch)
                        rules.add(EmbeddedReader(checker))
                        # Rows that will be refused are looked for to the end, but not loaded.
                        if not rules.any_blocking:
                            yield batch
                        task.advance(batch.num_rows)
                except BadRowsError as error:
                    self.problems += error.problems

            try:
                count = into(table, batches())
            except RepeatedKeysError as error:
                self._report([repeated_keys(table, error.surplus, error.repeated)])
        self._report(rules.violations())
        if len(self.problems) == before:
            self._sound.append(table)
        return count

    def validate(self, reader: TableReader) -> None:
        """Check the loaded tables' keys, references and history, and refuse what is wrong.

        Raises:
            SourceError: with every problem of the source, and where its rows are.
        """
        with track("Validating"):
            self._report(relation_violations(reader, self._sound))
        if self.problems:
            shown = self.problems[:_PROBLEMS_SHOWN]
            if len(self.problems) > _PROBLEMS_SHOWN:
                shown.append(f"and {len(self.problems) - _PROBLEMS_SHOWN} more")
            raise SourceError(
                f"{self._source.name} cannot be loaded; the bank was left as it was:\n  "
                + "\n  ".join(shown)
                + "\nCorrect this in the source and fill again."
            )

    def _report(self, violations: Iterable[Violation]) -> None:
        for violation in violations:
            if violation.blocking:
                self.problems.append(self._located(violation))
            else:
                warn(str(violation))

    def _located(self, violation: Violation) -> str:
        if not (violation.keys and isinstance(self._source, Locating)):
            return str(violation)
        places = self._source.places(TABLES_BY_NAME[violation.table], violation.keys)
        return f"{violation}; see {places}" if places else str(violation)
