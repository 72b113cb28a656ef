"""The contract as asset checks on the raw tables: what would poison the features blocks."""

from collections.abc import Iterator

import dagster as dg

from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.defs.raw import raw_key
from loan_pipeline.defs.resources import BankResource
from loan_pipeline.quality.tables import violations
from loan_pipeline.quality.violation import Violation


def violations_result(
    found: list[Violation], asset: dg.AssetKey | None = None
) -> dg.AssetCheckResult:
    """The check's result where these rules are broken, of `asset` where a step checks several."""
    blocking = [violation for violation in found if violation.blocking]
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name="contract" if asset else None,
        passed=not found,
        # A warning lets the run go on: the rows are reported, and the features can bear them.
        severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
        description="; ".join(map(str, found)) or "Every rule of the contract holds.",
        metadata={"rows_breaking_a_rule": sum(violation.count for violation in found)},
    )


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            "contract",
            asset=raw_key(table),
            blocking=True,
            description="Types, keys, references, codes, ranges, nulls as the contract says.",
        )
        for table in TABLES
    ]
)
def raw_tables_contract(bank: BankResource) -> Iterator[dg.AssetCheckResult]:
    """All tables in one consistent read, by SQL inside the database."""
    found = violations(bank.open())
    for table in TABLES:
        of_table = [violation for violation in found if violation.table == table.name]
        yield violations_result(of_table, raw_key(table))
