"""What filling means for either database: pour, count, validate, and explain what is wrong."""

import logging
from collections.abc import Callable, Iterator

import pyarrow as pa

from loan_pipeline.bank.arrow import check_batch
from loan_pipeline.bank.database import BankReader
from loan_pipeline.bank.errors import BankError, SourceError
from loan_pipeline.bank.source import Locating, Source
from loan_pipeline.bank.validate import Violation, find_violations
from loan_pipeline.contracts.tables import TABLES, TABLES_BY_NAME, Table
from loan_pipeline.progress import track

logger = logging.getLogger(__name__)

_VIOLATIONS_SHOWN = 10


def refuse_unless_managed(managed: bool, bank: str) -> None:
    """Stop a fill of a bank that is the system of record."""
    if not managed:
        raise BankError(
            f"The {bank} is the system of record (LOAN_BANK_MANAGED=false), so it is never "
            "written. Leave out the source, or set LOAN_BANK_MANAGED=true for a bank of our own."
        )


def pour(source: Source, into: Callable[[Table, Iterator[pa.RecordBatch]], int]) -> dict[str, int]:
    """Hand every table's checked batches to `into`, which answers the number of rows."""
    counts: dict[str, int] = {}
    for table in TABLES:
        with track(f"Filling {table.name}") as task:

            def batches(table: Table = table) -> Iterator[pa.RecordBatch]:
                for batch in source.batches(table):
                    check_batch(table, batch, source.name)
                    yield batch
                    task.advance(batch.num_rows)

            counts[table.name] = into(table, batches())
    return counts


def require_contract(reader: BankReader, source: Source) -> None:
    """Refuse what was poured where it breaks the contract.

    Raises:
        SourceError: with every blocking violation, and where the rows stand.
    """
    with track("Validating"):
        found = list(find_violations(reader))
    blocking = [violation for violation in found if violation.blocking]
    for violation in found:
        if not violation.blocking:
            logger.warning("%s: %s", source.name, violation)
    if blocking:
        lines = [_located(violation, source) for violation in blocking[:_VIOLATIONS_SHOWN]]
        if len(blocking) > _VIOLATIONS_SHOWN:
            lines.append(f"and {len(blocking) - _VIOLATIONS_SHOWN} more")
        raise SourceError(
            f"{source.name} does not keep the contract, so the bank was left as it was:\n  "
            + "\n  ".join(lines)
            + "\nCorrect these rows and fill again."
        )


def _located(violation: Violation, source: Source) -> str:
    if not (violation.keys and isinstance(source, Locating)):
        return str(violation)
    places = source.places(TABLES_BY_NAME[violation.table], violation.keys)
    return f"{violation}; see {'; '.join(places[key] for key in violation.keys if key in places)}"
