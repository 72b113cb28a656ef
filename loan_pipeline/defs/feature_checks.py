"""What must hold of the feature tables before anything learns from them."""

from collections.abc import Callable, Iterator

import dagster as dg
import pandas as pd

from loan_pipeline.contracts.features import FEATURES, Feature
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.defs.resources import LakeResource
from loan_pipeline.features.engine import snapshot_tables
from loan_pipeline.lake.feature_tables import (
    FeatureTable,
    read_feature_table,
    read_table_of_snapshot,
)
from loan_pipeline.lake.protocol import Store
from loan_pipeline.lake.snapshot import list_snapshots
from loan_pipeline.quality.features import (
    DRIFT_WARNING,
    Problem,
    drift,
    key_problems,
    value_problems,
)

ACCOUNT_FEATURES = tuple(feature for feature in FEATURES if feature.origin == "account")


def _result(check: str, problems: list[Problem], good: str) -> dg.AssetCheckResult:
    found = "; ".join(f"{problem.column} {problem.text}" for problem in problems)
    return dg.AssetCheckResult(
        check_name=check,
        passed=not problems,
        description=found or good,
        metadata={"rows_affected": sum(problem.rows for problem in problems)},
    )


def _previous(store: Store, name: str, snapshot: SnapshotManifest) -> pd.DataFrame | None:
    """The table of the newest earlier snapshot of the same bank that still has one."""
    for other in list_snapshots(store):
        same = (other.bank, other.source) == (snapshot.bank, snapshot.source)
        if other.created_at < snapshot.created_at and same:
            table = read_table_of_snapshot(store, name, other.snapshot_id)
            if table is not None:
                return table
    return None


def _drift_result(
    before: pd.DataFrame | None, now: pd.DataFrame, features: tuple[Feature, ...]
) -> dg.AssetCheckResult:
    """A warning: populations shift for good reasons too, and the gate judges the model itself."""
    if before is None:
        says, shifts = "There is no earlier table of this bank to compare with.", {}
    else:
        known = tuple(feature for feature in features if feature.name in before)
        shifts = drift(before, now, known)
        moved = {name: shift for name, shift in shifts.items() if shift > DRIFT_WARNING}
        says = (
            ", ".join(f"{name} {shift:.2f}" for name, shift in moved.items())
            or f"No feature's population stability index is above {DRIFT_WARNING}."
        )
    largest = max(shifts.values(), default=0.0)
    return dg.AssetCheckResult(
        check_name="drift",
        passed=largest <= DRIFT_WARNING,
        severity=dg.AssetCheckSeverity.WARN,
        description=says,
        metadata={"largest_population_stability_index": largest},
    )


def _loans(_store: Store, snapshot: SnapshotManifest) -> int:
    return snapshot.tables["loan"].rows


def _open_accounts(store: Store, snapshot: SnapshotManifest) -> int:
    """How many accounts were opened before the snapshot's as-of date."""
    with snapshot_tables(store, snapshot) as tables:
        account = tables["account"]
        return int(account.filter(account.date < snapshot.as_of).count().to_pyarrow().as_py())


def _checks(
    name: str,
    key: str,
    raw: str,
    features: tuple[Feature, ...],
    expected_rows: Callable[[Store, SnapshotManifest], int],
) -> dg.AssetChecksDefinition:
    rows = f"one_row_per_{raw}"
    described = {
        rows: f"Every {raw} known as of the snapshot, each once.",
        "values": "Nulls, codes and ranges are as the contract says.",
        "drift": "Each feature against the snapshot before; only a warning.",
    }
    specs = [
        dg.AssetCheckSpec(
            check,
            asset=name,
            blocking=check != "drift",
            additional_deps=["snapshot"],
            description=description,
        )
        for check, description in described.items()
    ]

    @dg.multi_asset_check(
        name=f"{name}_checks",
        specs=specs,
        ins={"built": dg.AssetIn(name), "snapshot": dg.AssetIn("snapshot")},
    )
    def checks(
        built: FeatureTable, snapshot: SnapshotManifest, lake: LakeResource
    ) -> Iterator[dg.AssetCheckResult]:
        store = lake.open()
        table = read_feature_table(store, built)
        problems = key_problems(table, key, expected_rows(store, snapshot))
        yield _result(rows, problems, f"{len(table):,} rows, one per {raw}.")
        yield _result(
            "values", value_problems(table, key, features), "Every value is within the contract."
        )
        yield _drift_result(_previous(store, name, snapshot), table, features)

    return checks


@dg.definitions
def feature_checks() -> dg.Definitions:
    """The checks of both tables."""
    return dg.Definitions(
        asset_checks=[
            _checks("loan_features", "loan_id", "loan", FEATURES, _loans),
            _checks("account_features", "account_id", "account", ACCOUNT_FEATURES, _open_accounts),
        ]
    )
