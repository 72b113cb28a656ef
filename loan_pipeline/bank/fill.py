"""What filling means for either database: pour, check on the way, and explain what is wrong."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import duckdb
import pyarrow as pa

from loan_pipeline.bank.arrow import check_batch
from loan_pipeline.bank.embedded.reader import EmbeddedReader
from loan_pipeline.bank.errors import BankError, SourceError
from loan_pipeline.bank.protocol import Closing, Locating, Sized, Source
from loan_pipeline.contracts.table_reader import TableReader
from loan_pipeline.contracts.tables import TABLES, TABLES_BY_NAME, Table
from loan_pipeline.progress import track
from loan_pipeline.quality.tables import Violation, relation_violations, row_violations

logger = logging.getLogger(__name__)

_VIOLATIONS_SHOWN = 10

Pouring = Callable[[Table, Iterator[pa.RecordBatch]], int]


def refuse_unless_managed(managed: bool, bank: str) -> None:
    """Stop a fill of a bank that is the system of record."""
    if not managed:
        raise BankError(
            f"The {bank} is the system of record (LOAN_BANK_MANAGED=false), so it is never "
            "written. Leave out the source, or set LOAN_BANK_MANAGED=true for a bank of our own."
        )


def pour(source: Source, into: Pouring) -> dict[str, int]:
    """Hand every table's checked batches to `into`, which answers the number of rows.

    Raises:
        SourceError: after the first table whose rows break the contract.
    """
    try:
        # One thread: the other processor is the database's.
        with duckdb.connect(config={"threads": 1}) as checker:
            return {table.name: _pour_table(source, table, into, checker) for table in TABLES}
    finally:
        if isinstance(source, Closing):
            source.close()


def _pour_table(
    source: Source, table: Table, into: Pouring, checker: duckdb.DuckDBPyConnection
) -> int:
    rules = _RowRules(table, checker)
    expected = source.expected_rows(table) if isinstance(source, Sized) else None
    with track(f"Filling {table.name}", expected) as task:

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in source.batches(table):
                check_batch(table, batch, source.name)
                rules.check(batch)
                yield batch
                task.advance(batch.num_rows)

        count = into(table, batches())
    refuse(rules.violations(), source)
    return count


class _RowRules:
    """Checks a table's rows on their way, with the very SQL that checks them in a database."""

    def __init__(self, table: Table, checker: duckdb.DuckDBPyConnection) -> None:
        self._table = table
        self._connection = checker
        self._reader = EmbeddedReader(checker)
        self._found: dict[tuple[str, str], Violation] = {}

    def check(self, batch: pa.RecordBatch) -> None:
        """Note the rules that the batch breaks."""
        self._connection.register(self._table.name, batch)
        for violation in row_violations(self._reader, self._table):
            rule = (violation.column, violation.rule)
            before = self._found.get(rule, replace(violation, count=0))
            self._found[rule] = replace(before, count=before.count + violation.count)

    def violations(self) -> list[Violation]:
        """What was found, with the counts of all batches and the first one's examples."""
        return list(self._found.values())


def require_relations(reader: TableReader, source: Source) -> None:
    """Refuse what was poured where keys, references or owners break the contract.

    Raises:
        SourceError: with every blocking violation, and where the rows stand.
    """
    with track("Validating"):
        refuse(list(relation_violations(reader)), source)


def refuse(violations: Iterable[Violation], source: Source) -> None:
    """Log the violations that do not block, and raise a SourceError of those that do."""
    blocking = []
    for violation in violations:
        if violation.blocking:
            blocking.append(_located(violation, source))
        else:
            logger.warning("%s: %s", source.name, violation)
    if blocking:
        shown = blocking[:_VIOLATIONS_SHOWN]
        if len(blocking) > _VIOLATIONS_SHOWN:
            shown.append(f"and {len(blocking) - _VIOLATIONS_SHOWN} more")
        raise SourceError(
            f"{source.name} does not keep the contract, so the bank was left as it was:\n  "
            + "\n  ".join(shown)
            + "\nCorrect these rows and fill again."
        )


def _located(violation: Violation, source: Source) -> str:
    if not (violation.keys and isinstance(source, Locating)):
        return str(violation)
    places = source.places(TABLES_BY_NAME[violation.table], violation.keys)
    return f"{violation}; see {'; '.join(places[key] for key in violation.keys if key in places)}"
