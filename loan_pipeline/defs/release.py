"""Per feature set: the release, which the web app scores with."""

import tempfile
from pathlib import Path

import dagster as dg

from loan_pipeline.contracts.bundle import BundleManifest, model_file
from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FeatureSet
from loan_pipeline.contracts.predictor import PredictorManifest
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.verdict import CandidateVerdict
from loan_pipeline.defs.keys import (
    GROUPS,
    STARTED_BY,
    metrics_key,
    predictor_key,
    release_key,
    verdict_key,
)
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.defs.presentation import release_metadata
from loan_pipeline.defs.resources import (
    PredictorsResource,
    RegistryResource,
    ReleasePolicyResource,
)
from loan_pipeline.lake.feature_tables import FeatureTable, read_feature_table
from loan_pipeline.lake.protocol import Store
from loan_pipeline.quality.verdicts import require_table_passed
from loan_pipeline.release.approval import keep_waiting
from loan_pipeline.release.audit import AuditEvent, VerdictSummary, record
from loan_pipeline.release.bundle import Origin, write_bundle
from loan_pipeline.release.candidate import (
    MetricsRecord,
    require_accounts_of,
    require_metrics_of,
    require_of_loans,
    require_snapshot_of,
)
from loan_pipeline.release.publish import HoldoutPredictions, publish
from loan_pipeline.training.errors import ReleaseRefused
from loan_pipeline.training.predictor_store import read_predictor_file
from loan_pipeline.training.recipes import model_kind


def _hand_over(
    context: dg.AssetExecutionContext,
    store: Store,
    folder: Path,
    manifest: BundleManifest,
    verdict: CandidateVerdict,
    predictions: HoldoutPredictions,
    policy: ReleasePolicyResource,
) -> None:
    """Release the bundle, or keep it until a person decides; the audit trail keeps a refusal."""
    by, run_id = context.run.tags.get(STARTED_BY, "Dagster's UI"), context.run.run_id
    bundle = (store, folder, manifest, verdict, predictions)
    try:
        if policy.approval == "manual":
            keep_waiting(*bundle, minimum_roc_auc=policy.minimum_roc_auc, by=by, run_id=run_id)
        else:
            publish(
                *bundle,
                minimum_roc_auc=policy.minimum_roc_auc,
                keep=policy.keep,
                by=by,
                run_id=run_id,
            )
    except ReleaseRefused as error:
        refused = AuditEvent(
            event="refused",
            feature_set=manifest.feature_set,
            version=verdict.predictor_id,
            by=by,
            note=str(error)[:2000],
            run_id=run_id,
            before=verdict.champion,
            verdict=VerdictSummary.of(verdict),
        )
        record(store, refused)
        raise


def _release(name: FeatureSet) -> dg.AssetsDefinition:
    @dg.asset(
        key=release_key(name),
        group_name=GROUPS[name],
        kinds={"bundle", "store"},
        ins={
            "predictor": dg.AssetIn(predictor_key(name)),
            "measured": dg.AssetIn(metrics_key(name)),
            "verdict": dg.AssetIn(verdict_key(name)),
        },
        description="The bundle that the web app scores with, and the pointer to it. Waits for a "
        "person where LOAN_RELEASE_APPROVAL=manual.",
    )
    def release(
        context: dg.AssetExecutionContext,
        predictor: PredictorManifest,
        measured: MetricsRecord,
        verdict: CandidateVerdict,
        loan_features: FeatureTable,
        account_features: FeatureTable,
        snapshot: SnapshotManifest,
        lake: LakeResource,
        predictors: PredictorsResource,
        policy: ReleasePolicyResource,
        registry: RegistryResource,
    ) -> dg.MaterializeResult[BundleManifest]:
        store = lake.open()
        require_metrics_of(measured, predictor)
        require_of_loans(predictor, loan_features)
        require_accounts_of(account_features, predictor)
        require_snapshot_of(snapshot, predictor)
        for table in (loan_features, account_features):
            require_table_passed(store, table)
        trained, validation = predictors.open(predictor), measured.validation()
        looked_up = name == "behavioural"
        with tempfile.TemporaryDirectory(prefix="bundle-") as folder:
            manifest = write_bundle(
                Path(folder),
                trained,
                read_predictor_file(store, predictor, model_file(model_kind(trained.recipe))),
                validation,
                read_feature_table(store, loan_features),
                read_feature_table(store, account_features) if looked_up else None,
                Origin(
                    predictor=predictor,
                    metrics_id=measured.metrics_id,
                    verdict=verdict,
                    as_of=account_features.as_of,
                    account_features_id=account_features.table_id if looked_up else None,
                ),
            )
            test = validation.out_of_time
            predictions = HoldoutPredictions(
                out_of_time=dict(
                    zip(test.loan_ids.tolist(), test.probabilities.tolist(), strict=True)
                ),
                bank=snapshot.contents,
            )
            _hand_over(context, store, Path(folder), manifest, verdict, predictions, policy)
        state = "released" if policy.approval == "automatic" else "waits for approval"
        return dg.MaterializeResult(
            value=manifest,
            metadata=release_metadata(
                manifest, state, policy.page(name), registry.follow(store, name)
            ),
        )

    return release


def all_releases() -> dg.Definitions:
    """The assets of both feature sets."""
    return dg.Definitions(assets=[_release(name) for name in FEATURE_SET_NAMES])
