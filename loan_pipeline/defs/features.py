"""The two feature tables: loans as of their own dates, accounts as of the snapshot."""

import dagster as dg

from loan_pipeline.contracts.features import FEATURES_BY_NAME
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.defs.resources import LakeResource
from loan_pipeline.features.engine import feature_batches
from loan_pipeline.lake.feature_tables import FeatureTable, write_feature_table
from loan_pipeline.settings import Settings

GROUP = "features"


def _materialise(
    name: str, snapshot: SnapshotManifest, lake: LakeResource
) -> dg.MaterializeResult[FeatureTable]:
    store, master = lake.open(), Settings().spark_master
    with feature_batches(store, snapshot, name, master) as batches:
        table = write_feature_table(store, name, snapshot, batches)
    described = [
        dg.TableColumn(column, description=FEATURES_BY_NAME[column].label)
        if column in FEATURES_BY_NAME
        else dg.TableColumn(column)
        for column in table.columns
    ]
    return dg.MaterializeResult(
        value=table,
        metadata={
            "dagster/row_count": table.rows,
            "dagster/column_schema": dg.TableSchema(columns=described),
            "engine": f"Spark at {master}" if master else "DuckDB",
            "snapshot_id": table.snapshot_id,
            "as_of": table.as_of.isoformat(),
            "key": table.key,
        },
    )


@dg.asset(group_name=GROUP, kinds={"ibis", "parquet"})
def loan_features(
    snapshot: SnapshotManifest, lake: LakeResource
) -> dg.MaterializeResult[FeatureTable]:
    """One row per loan: what was known strictly before its date, and its status."""
    return _materialise("loan_features", snapshot, lake)


@dg.asset(group_name=GROUP, kinds={"ibis", "parquet"})
def account_features(
    snapshot: SnapshotManifest, lake: LakeResource
) -> dg.MaterializeResult[FeatureTable]:
    """One row per account: what is known as of the snapshot, looked up when one is scored."""
    return _materialise("account_features", snapshot, lake)
