"""Per feature set: the predictor, its metrics, the gate's checks, and the release."""

import tempfile
from collections.abc import Iterator
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from loan_pipeline.contracts.bundle import BundleManifest, model_file
from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FeatureSet
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.defs.presentation import metrics_metadata
from loan_pipeline.defs.records import MetricsRecord, PredictorRecord
from loan_pipeline.defs.resources import LakeResource
from loan_pipeline.evaluation.evaluate import split_out_of_time
from loan_pipeline.evaluation.validation import validate
from loan_pipeline.export.parity import check_parity
from loan_pipeline.features.engine import snapshot_tables
from loan_pipeline.features.subgroups import loan_regions
from loan_pipeline.lake.feature_tables import FeatureTable, read_feature_table
from loan_pipeline.release import gate
from loan_pipeline.release.bundle import Origin, code_revision, released_model, write_bundle
from loan_pipeline.release.publish import Evidence, publish
from loan_pipeline.settings import Settings
from loan_pipeline.training.inputs import TARGETS, with_outcome
from loan_pipeline.training.predictor import load_predictor
from loan_pipeline.training.recipes import RECIPE_NAMES, model_kind, recipe, require_exportable
from loan_pipeline.training.train import train_predictor

RecipeChoice = Enum("RecipeChoice", {name: name for name in RECIPE_NAMES})  # type: ignore[misc]
TargetChoice = Enum("TargetChoice", {name: name for name in TARGETS})  # type: ignore[misc]


class TrainingConfig(dg.Config):
    """How to train.

    Attributes:
        recipe: which models, bagged and averaged how.
        target: observed counts running loans too, finished does not.
        seed: the same seed and loans give the same predictor.
        cost_ratio: how many times a loan lost costs more than a good applicant turned away; the
            threshold is chosen for it. 0: for balanced accuracy.
        test_from: the first day of the out-of-time test, YYYY-MM-DD. Empty: the newest fifth.
    """

    recipe: RecipeChoice = RecipeChoice["default"]
    target: TargetChoice = TargetChoice["observed"]
    seed: int = 0
    cost_ratio: float = Field(default=0, ge=0)
    test_from: str = Field(default="", pattern=r"^(\d{4}-\d{2}-\d{2})?$")


def model_assets(name: FeatureSet) -> dg.Definitions:
    """The three assets of one feature set, and the checks that stand before its release."""

    @dg.asset(
        key=[name, "predictor"],
        group_name=name,
        kinds={"autogluon", "onnx"},
        description=f"AutoGluon's predictor on the {name} features, trained on all loans; its twin "
        "for the out-of-time test, trained on the older ones; and what is to be released: the "
        "exported graph, or the packed predictor where the recipe has no graph.",
    )
    def predictor(
        context: dg.AssetExecutionContext,
        config: TrainingConfig,
        loan_features: FeatureTable,
        lake: LakeResource,
    ) -> dg.MaterializeResult[PredictorRecord]:
        chosen, target = recipe(config.recipe.value), config.target.value
        if not Settings().allow_pickles:
            require_exportable(chosen)
        loans = read_feature_table(lake.open(), loan_features)
        test_from = date.fromisoformat(config.test_from) if config.test_from else None
        older, _ = split_out_of_time(with_outcome(loans, target), test_from)
        how: dict[str, Any] = {"seed": config.seed, "cost_ratio": config.cost_ratio or None}
        folder = Settings().models_path / name
        trained = train_predictor(loans, name, chosen, target, folder / "predictor", **how)
        train_predictor(older, name, chosen, target, folder / "twin", **how)
        model = folder / model_file(model_kind(chosen))
        model.write_bytes(released_model(trained))
        facts = trained.facts
        return dg.MaterializeResult(
            value=PredictorRecord(
                feature_set=name,
                snapshot_id=loan_features.snapshot_id,
                run_id=context.run.run_id,
                predictor=str(folder / "predictor"),
                twin=str(folder / "twin"),
                model=str(model),
                test_from=test_from,
            ),
            metadata={
                "recipe": chosen.name,
                "target": target,
                "loans": facts.n_train,
                "bad_loans": facts.bad_train,
                "seconds_train": round(facts.seconds_train, 1),
                "threshold": facts.threshold,
                "path": dg.MetadataValue.path(str(folder / "predictor")),
                "model_bytes": model.stat().st_size,
            },
        )

    @dg.asset(
        key=[name, "metrics"],
        group_name=name,
        kinds={"python"},
        ins={"trained": dg.AssetIn([name, "predictor"])},
        description="What the predictor is worth: out of fold, and out of time by its twin.",
    )
    def metrics(
        trained: PredictorRecord,
        loan_features: FeatureTable,
        snapshot: SnapshotManifest,
        lake: LakeResource,
    ) -> dg.MaterializeResult[MetricsRecord]:
        store = lake.open()
        with snapshot_tables(store, snapshot) as tables:
            regions = loan_regions(tables).to_pandas()
        loans = read_feature_table(store, loan_features).merge(
            regions, on="loan_id", how="left", validate="one_to_one"
        )
        validation = validate(
            load_predictor(Path(trained.predictor)),
            load_predictor(Path(trained.twin)),
            loans,
            test_from=trained.test_from,
        )
        return dg.MaterializeResult(
            value=MetricsRecord.of(validation), metadata=metrics_metadata(validation)
        )

    @dg.asset_check(
        asset=predictor,
        name="export_parity",
        blocking=True,
        additional_ins={"loan_features": dg.AssetIn("loan_features")},
        description="What is released answers what the predictor answers.",
    )
    def export_parity(
        predictor: PredictorRecord, loan_features: FeatureTable, lake: LakeResource
    ) -> dg.AssetCheckResult:
        parity = check_parity(
            load_predictor(Path(predictor.predictor)),
            Path(predictor.model).read_bytes(),
            read_feature_table(lake.open(), loan_features),
        )
        return _check_result(gate.check_parity_proven(parity))

    metrics_key = dg.AssetKey([name, "metrics"])

    @dg.multi_asset_check(
        name=f"{name}_gate",
        specs=[
            dg.AssetCheckSpec(
                check,
                asset=metrics_key,
                blocking=True,
                additional_deps=["loan_features", "snapshot"],
                description=description,
            )
            for check, description in GATE.items()
        ],
        ins={
            "measured": dg.AssetIn(metrics_key),
            "loan_features": dg.AssetIn("loan_features"),
            "snapshot": dg.AssetIn("snapshot"),
        },
    )
    def release_gate(
        measured: MetricsRecord,
        loan_features: FeatureTable,
        snapshot: SnapshotManifest,
        lake: LakeResource,
    ) -> Iterator[dg.AssetCheckResult]:
        store = lake.open()
        validation = measured.validation()
        loans = read_feature_table(store, loan_features)
        champion = gate.released_champion(
            store, name, snapshot.contents, allow_pickles=Settings().allow_pickles
        )
        for check in (
            gate.check_roc_auc(validation, Settings().minimum_roc_auc),
            gate.check_calibration(validation),
            gate.check_not_worse(validation, champion, loans),
        ):
            yield _check_result(check, metrics_key)

    @dg.asset(
        key=[name, "release"],
        group_name=name,
        kinds={"onnx", "s3"},
        ins={
            "trained": dg.AssetIn([name, "predictor"]),
            "measured": dg.AssetIn(metrics_key),
        },
        description="The bundle that the web app scores with, and the pointer to it.",
    )
    def release(
        trained: PredictorRecord,
        measured: MetricsRecord,
        loan_features: FeatureTable,
        account_features: FeatureTable,
        snapshot: SnapshotManifest,
        lake: LakeResource,
    ) -> dg.MaterializeResult[BundleManifest]:
        store = lake.open()
        validation = measured.validation()
        serving = read_feature_table(store, account_features) if name == "behavioural" else None
        with tempfile.TemporaryDirectory(prefix="bundle-") as folder:
            manifest = write_bundle(
                Path(folder),
                load_predictor(Path(trained.predictor)),
                Path(trained.model).read_bytes(),
                validation,
                read_feature_table(store, loan_features),
                serving,
                Origin(
                    trained.snapshot_id, account_features.as_of, trained.run_id, code_revision()
                ),
            )
            test = validation.out_of_time
            evidence = Evidence(
                out_of_time=dict(
                    zip(test.loan_ids.tolist(), test.probabilities.tolist(), strict=True)
                ),
                bank=snapshot.contents,
            )
            publish(store, Path(folder), manifest, evidence, keep=Settings().keep_releases)
        return dg.MaterializeResult(
            value=manifest,
            metadata={
                "version": manifest.version,
                "threshold": manifest.threshold,
                "bytes": sum(file.bytes for file in manifest.files.values()),
            },
        )

    return dg.Definitions(
        assets=[predictor, metrics, release], asset_checks=[export_parity, release_gate]
    )


GATE = {
    "roc_auc": "Out of time, ROC AUC is not below LOAN_MINIMUM_ROC_AUC.",
    "calibration": "Out of time, probabilities are not too high or too low beyond chance.",
    "not_worse_than_released": "On the same loans, not significantly worse than the release.",
}


def _check_result(check: gate.Check, asset_key: dg.AssetKey | None = None) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=check.passed,
        asset_key=asset_key,
        check_name=check.name if asset_key else None,
        description=check.says,
        metadata=dict(check.figures),
    )


@dg.definitions
def models() -> dg.Definitions:
    """The assets of both feature sets."""
    return dg.Definitions.merge(*(model_assets(name) for name in FEATURE_SET_NAMES))
