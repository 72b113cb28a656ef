"""Per feature set: the release gate's verdict on the candidate. A release demands it."""

from collections.abc import Iterator

import dagster as dg

from loan_pipeline.contracts.bundle import model_file
from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FeatureSet
from loan_pipeline.contracts.predictor import PredictorManifest
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.verdict import CandidateVerdict
from loan_pipeline.defs.checks import check_results, check_specs
from loan_pipeline.defs.keys import GROUPS, metrics_key, predictor_key, verdict_key
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.defs.resources import PredictorsResource, ReleasePolicyResource
from loan_pipeline.lake.feature_tables import FeatureTable, read_feature_table
from loan_pipeline.release.candidate import (
    MetricsRecord,
    require_metrics_of,
    require_of_loans,
    require_snapshot_of,
)
from loan_pipeline.release.gate import RULES, Candidate, released_champion
from loan_pipeline.release.verdict import give_verdict
from loan_pipeline.training.predictor_store import read_predictor_file
from loan_pipeline.training.recipes import model_kind


def _verdict(name: FeatureSet) -> dg.AssetsDefinition:
    key = verdict_key(name)

    @dg.asset(
        key=key,
        group_name=GROUPS[name],
        kinds={"python"},
        ins={
            "predictor": dg.AssetIn(predictor_key(name)),
            "measured": dg.AssetIn(metrics_key(name)),
        },
        check_specs=check_specs(key, {rule.name: rule.description for rule in RULES}),
        description="What the release gate found of the candidate, against which champion.",
    )
    def verdict(
        predictor: PredictorManifest,
        measured: MetricsRecord,
        loan_features: FeatureTable,
        snapshot: SnapshotManifest,
        lake: LakeResource,
        predictors: PredictorsResource,
        policy: ReleasePolicyResource,
    ) -> Iterator[dg.MaterializeResult[CandidateVerdict]]:
        require_metrics_of(measured, predictor)
        require_of_loans(predictor, loan_features)
        require_snapshot_of(snapshot, predictor)
        store, trained = lake.open(), predictors.open(predictor)
        candidate = Candidate(
            trained=trained,
            model=read_predictor_file(store, predictor, model_file(model_kind(trained.recipe))),
            validation=measured.validation(),
            loans=read_feature_table(store, loan_features),
            champion=released_champion(
                store, name, snapshot.contents, allow_pickles=policy.allow_pickles
            ),
            minimum_roc_auc=policy.minimum_roc_auc,
        )
        record = give_verdict(candidate, predictor, measured)
        yield dg.MaterializeResult(
            value=record,
            metadata={
                "passed": record.passed,
                "predictor_id": record.predictor_id,
                "metrics_id": record.metrics_id,
                "champion": record.champion or "none",
            },
            check_results=check_results(key, record.checks),
        )

    return verdict


def verdicts() -> dg.Definitions:
    """The assets of both feature sets."""
    return dg.Definitions(assets=[_verdict(name) for name in FEATURE_SET_NAMES])
