"""What can be seen of a bank without reading it: how much there is, and how fresh it is."""

from dataclasses import dataclass
from datetime import date

from loan_pipeline.bank.protocol import Bank
from loan_pipeline.contracts.tables import TABLES


@dataclass(frozen=True)
class Observation:
    """One table; `newest` is the latest date of its `newest_by` column, None without one."""

    rows: int
    newest: date | None


def observe(bank: Bank) -> dict[str, Observation]:
    """Every table by its name, in one consistent read."""
    found = {}
    with bank.reading() as reader:
        for table in TABLES:
            newest = f'MAX("{table.newest_by}")' if table.newest_by else "NULL"
            [(rows, latest)] = reader.rows(
                f"SELECT COUNT(*), {newest} FROM {reader.sql_name(table)}"
            )
            found[table.name] = Observation(int(rows), latest)
    return found
