"""Per feature set: what the predictor is worth."""

from collections.abc import Iterator

import dagster as dg

from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FeatureSet
from loan_pipeline.contracts.predictor import PredictorManifest
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.verdict import Check, Problem
from loan_pipeline.defs.checks import check_results, check_specs
from loan_pipeline.defs.keys import GROUPS, holdout_key, metrics_key, predictor_key
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.defs.presentation import metrics_metadata
from loan_pipeline.defs.resources import CurrencyResource, PortfolioResource, PredictorsResource
from loan_pipeline.evaluation.profit import Prices
from loan_pipeline.evaluation.validation import Validation, validate
from loan_pipeline.features.engine import snapshot_tables
from loan_pipeline.features.subgroups import loan_regions
from loan_pipeline.lake.feature_tables import FeatureTable, read_feature_table
from loan_pipeline.release.candidate import (
    MetricsRecord,
    require_holdout_of,
    require_of_loans,
    require_snapshot_of,
)

_RULES = {
    "fairness": "Selection and true positive rates by gender, age and region: docs/recipes.md.",
}


def _metrics(name: FeatureSet) -> dg.AssetsDefinition:
    @dg.asset(
        key=metrics_key(name),
        group_name=GROUPS[name],
        kinds={"python"},
        ins={
            "predictor": dg.AssetIn(predictor_key(name)),
            "holdout": dg.AssetIn(holdout_key(name)),
        },
        description="What the predictor is worth: out of fold, and out of time by the holdout "
        "predictor.",
        check_specs=check_specs(metrics_key(name), _RULES, warnings=tuple(_RULES)),
    )
    def metrics(
        predictor: PredictorManifest,
        holdout: PredictorManifest,
        loan_features: FeatureTable,
        snapshot: SnapshotManifest,
        lake: LakeResource,
        predictors: PredictorsResource,
        portfolio: PortfolioResource,
        currency: CurrencyResource,
    ) -> Iterator[dg.MaterializeResult[MetricsRecord]]:
        require_of_loans(predictor, loan_features)
        require_holdout_of(holdout, predictor)
        require_snapshot_of(snapshot, predictor)
        store = lake.open()
        with snapshot_tables(store, snapshot) as tables:
            regions = loan_regions(tables).to_pandas()
        loans = read_feature_table(store, loan_features).merge(
            regions, on="loan_id", how="left", validate="one_to_one"
        )
        validation = validate(
            predictors.open(predictor),
            predictors.open(holdout),
            loans,
            test_from=predictor.test_from,
            prices=Prices(loss_given_default=portfolio.loss_given_default),
            rolling_cuts=predictors.rolling_cuts,
        )
        record = MetricsRecord.of(validation, predictor, holdout)
        yield dg.MaterializeResult(
            value=record,
            metadata={
                "predictor_id": record.predictor_id,
                "metrics_id": record.metrics_id,
                **metrics_metadata(validation, currency.label),
            },
            check_results=check_results(metrics_key(name), [_fairness(validation)]),
        )

    return metrics


def _fairness(validation: Validation) -> Check:
    """What differs between subgroups beyond the limits; a warning, for people to judge."""
    found = validation.report["fairness_warnings"]
    return Check.of_problems(
        "fairness",
        tuple(Problem(place="subgroups", text=text) for text in found),
        "No subgroup differs beyond the limits and beyond chance.",
        blocking=False,
    )


def all_metrics() -> dg.Definitions:
    """The assets of both feature sets."""
    return dg.Definitions(assets=[_metrics(name) for name in FEATURE_SET_NAMES])
