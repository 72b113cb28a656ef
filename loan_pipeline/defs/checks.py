"""Verdicts as Dagster's checks: what is known of a rule beforehand, and what was found.

The checks report; what holds is the verdict in the lake, which the next step demands.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from loan_pipeline.contracts.verdict import Check, Problem

_PROBLEMS = dg.TableSchema(
    columns=[
        dg.TableColumn("place", "string", "A column, a table's column, or a file."),
        dg.TableColumn("problem", "string", "What is wrong, and the first of the rows."),
        dg.TableColumn("rows", "int", "How many rows are wrong, where they can be counted."),
    ]
)


def check_specs(
    asset: dg.AssetKey, rules: Mapping[str, str], *, warnings: Sequence[str] = ()
) -> list[dg.AssetCheckSpec]:
    """A check for each rule, by its name and description; those in `warnings` block nothing."""
    return [
        dg.AssetCheckSpec(name, asset=asset, description=text, blocking=name not in warnings)
        for name, text in rules.items()
    ]


def check_result(asset: dg.AssetKey, check: Check) -> dg.AssetCheckResult:
    """What was found, with its figures and a table of the problems."""
    metadata: dict[str, Any] = dict(check.figures)
    if check.problems:
        metadata["problems"] = _table(check.problems)
        metadata["rows_affected"] = sum(problem.rows for problem in check.problems)
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=check.name,
        passed=check.passed,
        severity=dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN,
        description=check.says,
        metadata=metadata,
    )


def check_results(asset: dg.AssetKey, checks: Sequence[Check]) -> list[dg.AssetCheckResult]:
    """The results of several checks of one asset."""
    return [check_result(asset, check) for check in checks]


def _table(problems: Sequence[Problem]) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord({"place": one.place, "problem": one.text, "rows": one.rows})
        for one in problems
    ]
    return dg.TableMetadataValue(records=records, schema=_PROBLEMS)
