"""The bank's eight raw tables, which Dagster watches and never writes, and the contract on them.

What fills them is `bank`.
"""

from collections.abc import Iterator

import dagster as dg

from loan_pipeline.contracts.tables import TABLES, Column, Table
from loan_pipeline.defs.checks import check_result
from loan_pipeline.defs.keys import GROUPS
from loan_pipeline.defs.resources import BankResource
from loan_pipeline.progress import warn
from loan_pipeline.quality.snapshots import contract_check
from loan_pipeline.quality.tables import violations

BANK = dg.AssetKey("bank")
POOL = "bank"  # of what fills or reads the whole bank: one queued run at a time


def raw_key(table: Table) -> dg.AssetKey:
    """The asset key of a raw table."""
    return dg.AssetKey(["raw", table.name])


RAW_KEYS = [raw_key(table) for table in TABLES]


def _column(column: Column) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(
        nullable=column.nullable,
        other=[f"one of {', '.join(column.codes)}"] if column.codes else None,
    )
    return dg.TableColumn(column.name, column.kind, column.meaning, constraints)


def _spec(table: Table) -> dg.AssetSpec:
    return dg.AssetSpec(
        raw_key(table),
        group_name=GROUPS["bank"],
        deps=[BANK],
        kinds={"database"},
        description=f"{table.meaning.capitalize()}.",
        metadata={
            "dagster/column_schema": dg.TableSchema(columns=[_column(c) for c in table.columns])
        },
    )


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            "contract",
            asset=key,
            blocking=True,
            additional_deps=[BANK],  # so that a run asks after it has filled
            description="Types, keys, references, codes, ranges, nulls as the contract says.",
        )
        for key in RAW_KEYS
    ]
)
def raw_tables_contract(bank: BankResource) -> Iterator[dg.AssetCheckResult]:
    """All tables in one consistent read, by SQL inside the database."""
    found = violations(bank.open())
    for violation in found:
        if not violation.blocking:
            warn(str(violation))  # at the terminal too, where a bank is only read
    for table in TABLES:
        of_table = [violation for violation in found if violation.table == table.name]
        yield check_result(raw_key(table), contract_check(of_table))


def raw() -> dg.Definitions:
    """The tables with their check."""
    return dg.Definitions(
        assets=[_spec(table) for table in TABLES], asset_checks=[raw_tables_contract]
    )
