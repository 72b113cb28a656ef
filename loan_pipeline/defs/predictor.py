"""Per feature set: the predictor for release, and the holdout predictor of its out-of-time test."""

from datetime import date
from typing import Any

import dagster as dg

from loan_pipeline.code_revision import code_revision
from loan_pipeline.contracts.bundle import model_file
from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FeatureSet
from loan_pipeline.contracts.predictor import PredictorManifest, new_predictor_id
from loan_pipeline.contracts.verdict import CandidateVerdict
from loan_pipeline.defs.io_manager import RecordMissing, read_record
from loan_pipeline.defs.keys import GROUPS, holdout_key, predictor_key, verdict_key
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.defs.resources import PredictorsResource, ReleasePolicyResource
from loan_pipeline.defs.training_config import TrainingConfig, as_released
from loan_pipeline.evaluation.evaluate import split_out_of_time
from loan_pipeline.lake.feature_tables import FeatureTable, read_feature_table
from loan_pipeline.lake.protocol import Store
from loan_pipeline.quality.verdicts import require_table_passed
from loan_pipeline.release.bundle import released_model
from loan_pipeline.release.candidate import require_of_loans
from loan_pipeline.release.publish import releases
from loan_pipeline.training.inputs import with_outcome
from loan_pipeline.training.own_recipe import chosen_recipe
from loan_pipeline.training.predictor import TrainedPredictor
from loan_pipeline.training.predictor_store import delete_old_predictors, save_predictor
from loan_pipeline.training.recipes import model_kind, require_exportable
from loan_pipeline.training.train import train_predictor


def _metadata(manifest: PredictorManifest, trained: TrainedPredictor) -> dict[str, Any]:
    facts = trained.facts
    return {
        "predictor_id": manifest.predictor_id,
        "snapshot_id": manifest.snapshot_id,
        "recipe": facts.recipe,
        "target": facts.target,
        "loans": facts.n_train,
        "bad_loans": facts.bad_train,
        "last_loan_date": facts.last_loan_date,
        "seconds_train": round(facts.seconds_train, 1),
        "threshold": facts.threshold,
        "bytes": sum(file.bytes for file in manifest.files.values()),
    }


def _delete_old(store: Store, name: FeatureSet, current: str, keep: int) -> list[str]:
    """Delete predictors that neither a kept release nor a candidate refers to."""
    referred = {release.manifest.training.predictor_id for release in releases(store, name)}
    try:
        judged = read_record(store, verdict_key(name), CandidateVerdict)
        referred |= {judged.predictor_id, judged.holdout_id}
    except RecordMissing:
        pass
    return delete_old_predictors(store, name, keep, referred | {current})


def _predictor(name: FeatureSet) -> dg.AssetsDefinition:
    @dg.asset(
        key=predictor_key(name),
        group_name=GROUPS[name],
        kinds={"autogluon", "store"},
        description=f"AutoGluon's predictor on the {name} features, trained on all loans, with the "
        "model that a release of it serves. Kept in the lake under an id, and never changed.",
    )
    def predictor(
        context: dg.AssetExecutionContext,
        config: TrainingConfig,
        loan_features: FeatureTable,
        lake: LakeResource,
        predictors: PredictorsResource,
        policy: ReleasePolicyResource,
    ) -> dg.MaterializeResult[PredictorManifest]:
        store = lake.open()
        if config.as_released:
            config = as_released(config, store, name)
        presets, time_limit = config.presets or None, config.time_limit or None
        chosen = chosen_recipe(config.recipe.value, config.hyperparameters, presets, time_limit)
        target = config.target.value
        if not policy.allow_pickles:
            require_exportable(chosen)
        require_table_passed(store, loan_features)
        excluded = tuple(sorted({*config.excluded_features, *predictors.excluded_features}))
        loans = read_feature_table(store, loan_features)
        test_from = date.fromisoformat(config.test_from) if config.test_from else None
        # Before the training, which may take hours: are there loans for the test?
        split_out_of_time(with_outcome(loans, target), test_from)
        manifest = PredictorManifest(
            predictor_id=new_predictor_id(),
            feature_set=name,
            recipe=chosen.name,
            target=target,
            excluded=excluded,
            hyperparameters=config.hyperparameters,
            presets=presets,
            time_limit=time_limit,
            seed=config.seed,
            cost_ratio=config.cost_ratio or None,
            test_from=test_from,
            snapshot_id=loan_features.snapshot_id,
            loan_features_id=loan_features.table_id,
            run_id=context.run.run_id,
            code_revision=code_revision(),
        )
        trained = train_predictor(
            loans,
            name,
            chosen,
            target,
            predictors.path(manifest),
            excluded=manifest.excluded,
            seed=manifest.seed,
            cost_ratio=manifest.cost_ratio,
        )
        file = model_file(model_kind(chosen))
        saved = save_predictor(store, trained, manifest, {file: released_model(trained)})
        deleted = _delete_old(store, name, saved.predictor_id, predictors.keep)
        return dg.MaterializeResult(
            value=saved, metadata=_metadata(saved, trained) | {"deleted": deleted}
        )

    return predictor


def _holdout_predictor(name: FeatureSet) -> dg.AssetsDefinition:
    @dg.asset(
        key=holdout_key(name),
        group_name=GROUPS[name],
        kinds={"autogluon", "store"},
        ins={"predictor": dg.AssetIn(predictor_key(name))},
        description="Trained as the predictor is, on the older loans alone: it makes the "
        "out-of-time test, and later the comparison with other candidates.",
    )
    def holdout_predictor(
        context: dg.AssetExecutionContext,
        predictor: PredictorManifest,
        loan_features: FeatureTable,
        lake: LakeResource,
        predictors: PredictorsResource,
    ) -> dg.MaterializeResult[PredictorManifest]:
        store = lake.open()
        require_of_loans(predictor, loan_features)
        require_table_passed(store, loan_features)
        loans = with_outcome(read_feature_table(store, loan_features), predictor.target)
        older, _ = split_out_of_time(loans, predictor.test_from)
        manifest = predictor.model_copy(
            update={
                "predictor_id": new_predictor_id(),
                "holdout_of": predictor.predictor_id,
                "run_id": context.run.run_id,
                "code_revision": code_revision(),
            }
        )
        trained = train_predictor(
            older,
            name,
            chosen_recipe(
                predictor.recipe,
                predictor.hyperparameters,
                predictor.presets,
                predictor.time_limit,
            ),
            predictor.target,
            predictors.path(manifest),
            excluded=predictor.excluded,
            seed=predictor.seed,
            cost_ratio=predictor.cost_ratio,
        )
        saved = save_predictor(store, trained, manifest, {})
        return dg.MaterializeResult(value=saved, metadata=_metadata(saved, trained))

    return holdout_predictor


def predictors() -> dg.Definitions:
    """Both predictors of both feature sets."""
    return dg.Definitions(
        assets=[
            make(name) for name in FEATURE_SET_NAMES for make in (_predictor, _holdout_predictor)
        ]
    )
