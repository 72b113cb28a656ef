"""The two feature tables: loans as of their own dates, accounts as of the snapshot; their rules."""

from collections.abc import Callable, Iterator

import dagster as dg
import pandas as pd

from loan_pipeline.code_revision import code_revision
from loan_pipeline.contracts.features import FEATURES, Feature
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.verdict import FeatureTableVerdict
from loan_pipeline.defs.checks import check_results, check_specs
from loan_pipeline.defs.columns import (
    column_lineage,
    columns_in_currency,
    feature_columns,
    traced_columns,
)
from loan_pipeline.defs.keys import GROUPS
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.defs.resources import CurrencyResource, FeatureEngineResource
from loan_pipeline.features.engine import feature_batches, snapshot_tables
from loan_pipeline.lake.feature_tables import (
    FeatureTable,
    read_feature_table,
    read_table_of_snapshot,
    write_feature_table,
)
from loan_pipeline.lake.protocol import Store
from loan_pipeline.lake.snapshot import list_snapshots
from loan_pipeline.quality.features import feature_table_checks, table_rules
from loan_pipeline.quality.verdicts import require_snapshot_passed, write_table_verdict

ACCOUNT_FEATURES = tuple(feature for feature in FEATURES if feature.origin == "account")


def _loans(_store: Store, snapshot: SnapshotManifest) -> int:
    return snapshot.tables["loan"].rows


def _open_accounts(store: Store, snapshot: SnapshotManifest) -> int:
    """How many accounts were opened before the snapshot's as-of date."""
    with snapshot_tables(store, snapshot) as tables:
        account = tables["account"]
        return int(account.filter(account.date < snapshot.as_of).count().to_pyarrow().as_py())


def _previous(store: Store, name: str, snapshot: SnapshotManifest) -> pd.DataFrame | None:
    """The table of the newest earlier snapshot of the same bank that still has one."""
    for other in list_snapshots(store):
        same = (other.bank, other.source) == (snapshot.bank, snapshot.source)
        if other.created_at < snapshot.created_at and same:
            table = read_table_of_snapshot(store, name, other.snapshot_id)
            if table is not None:
                return table
    return None


def _feature_table(
    name: str,
    key: str,
    features: tuple[Feature, ...],
    expected_rows: Callable[[Store, SnapshotManifest], int],
    description: str,
) -> dg.AssetsDefinition:
    """The asset of one feature table, with its checks."""
    asset_key = dg.AssetKey(name)

    @dg.asset(
        key=asset_key,
        group_name=GROUPS["features"],
        kinds={"ibis", "parquet", "store"},
        check_specs=check_specs(asset_key, table_rules(key), warnings=["drift"]),
        metadata={"dagster/column_schema": feature_columns(name)},
        description=description,
    )
    def feature_table(
        snapshot: SnapshotManifest,
        lake: LakeResource,
        engine: FeatureEngineResource,
        currency: CurrencyResource,
    ) -> Iterator[dg.MaterializeResult[FeatureTable]]:
        store, master = lake.open(), engine.spark_master or None
        require_snapshot_passed(store, snapshot.snapshot_id)
        with feature_batches(store, snapshot, name, master) as batches:
            table = write_feature_table(store, name, snapshot, batches)
        checks = feature_table_checks(
            read_feature_table(store, table),
            key,
            features,
            expected_rows(store, snapshot),
            _previous(store, name, snapshot),
        )
        verdict = FeatureTableVerdict(
            table=name,
            table_id=table.table_id,
            snapshot_id=table.snapshot_id,
            checks=checks,
            code_revision=code_revision(),
        )
        write_table_verdict(store, verdict)
        yield dg.MaterializeResult(
            value=table,
            metadata={
                "dagster/row_count": table.rows,
                "engine": f"Spark at {master}" if master else "DuckDB",
                "snapshot_id": table.snapshot_id,
                "table_id": table.table_id,
                "as_of": table.as_of.isoformat(),
                "key": table.key,
                "dagster/column_schema": columns_in_currency(traced_columns(name), currency.code),
                "dagster/column_lineage": column_lineage(name),
            },
            check_results=check_results(asset_key, checks),
        )

    return feature_table


def feature_tables() -> dg.Definitions:
    """Both tables."""
    return dg.Definitions(
        assets=[
            _feature_table(
                "loan_features",
                "loan_id",
                FEATURES,
                _loans,
                "One row per loan: what was known strictly before its date, and its status.",
            ),
            _feature_table(
                "account_features",
                "account_id",
                ACCOUNT_FEATURES,
                _open_accounts,
                "One row per account: what is known as of the snapshot, looked up when one is "
                "scored.",
            ),
        ]
    )
