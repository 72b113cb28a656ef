"""Makes the folder of a bundle: model, look-up, report, verdict, pictures, the manifest last."""

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from loan_pipeline.code_revision import code_revision
from loan_pipeline.contracts.bundle import (
    ACCOUNTS_FILE,
    MANIFEST_FILE,
    METRICS_FILE,
    ONNX,
    VERDICT_FILE,
    BundleFeature,
    BundleFile,
    BundleManifest,
    Training,
    model_file,
)
from loan_pipeline.contracts.features import Feature
from loan_pipeline.contracts.predictor import PredictorManifest
from loan_pipeline.contracts.verdict import CandidateVerdict
from loan_pipeline.evaluation.validation import Validation
from loan_pipeline.export.export import export_onnx
from loan_pipeline.export.packed import pack
from loan_pipeline.release.accounts import write_accounts
from loan_pipeline.training.errors import ModelError
from loan_pipeline.training.inputs import FloatArray, with_outcome
from loan_pipeline.training.known_ground import known_ranges
from loan_pipeline.training.predictor import TrainedPredictor
from loan_pipeline.training.recipes import model_kind

_SOFTWARE = (
    "loan-pipeline",
    "autogluon.tabular",
    "catboost",
    "lightgbm",
    "numpy",
    "onnx",
    "onnxmltools",
    "onnxruntime",
    "scikit-learn",
    "skl2onnx",
    "xgboost",
    "xgboost-cpu",
)
_DECILES = np.linspace(0, 1, 11)


@dataclass(frozen=True)
class Origin:
    """What a bundle was made from.

    Attributes:
        predictor: the predictor's manifest, which names the snapshot, the loans and the run.
        metrics_id: what was measured of it.
        verdict: the gate's.
        as_of: up to when the snapshot knows the accounts, exclusive.
        account_features_id: the table of the looked-up accounts, where there are any.
    """

    predictor: PredictorManifest
    metrics_id: str
    verdict: CandidateVerdict
    as_of: date
    account_features_id: str | None = None


def released_model(trained: TrainedPredictor) -> bytes:
    """The file of a bundle that holds the model: a graph where the recipe has one.

    Raises:
        NotExportable: a trained model uses something that has no ONNX form.
    """
    if model_kind(trained.recipe) == ONNX:
        return bytes(export_onnx(trained).SerializeToString())
    return pack(trained)


def write_bundle(
    folder: Path,
    trained: TrainedPredictor,
    model: bytes,
    validation: Validation,
    loans: pd.DataFrame,
    serving: pd.DataFrame | None,
    origin: Origin,
) -> BundleManifest:
    """Write a bundle's files into the empty `folder`, the manifest last.

    Args:
        folder: is made where it does not exist.
        trained: the predictor for release.
        model: the model's file, as `released_model` makes it.
        validation: what was measured.
        loans: the loans it was trained on.
        serving: one row per account as `serving_features` makes them; None where the feature set
            needs no look-up.
        origin: what everything was made from.

    Raises:
        ModelError: the behavioural set without accounts.
        OSError: the folder cannot be written.
    """
    facts = trained.facts
    folder.mkdir(parents=True, exist_ok=True)
    kind = model_kind(trained.recipe)
    (folder / model_file(kind)).write_bytes(model)
    if facts.feature_set == "behavioural":
        if serving is None or serving.empty:
            raise ModelError("a behavioural bundle needs the accounts' features, and got none")
        write_accounts(serving, trained.features, folder / ACCOUNTS_FILE)
    (folder / METRICS_FILE).write_text(json.dumps(validation.report, indent=1))
    (folder / VERDICT_FILE).write_text(origin.verdict.model_dump_json(indent=1))
    for name, picture in validation.pictures.items():
        (folder / name).write_text(picture)
    files = {path.name: _fingerprint(path) for path in sorted(folder.iterdir())}
    created = datetime.now(UTC)
    manifest = BundleManifest(
        feature_set=facts.feature_set,
        version=_version(created, files),
        kind=kind,
        created_at=created,
        contract_version=facts.contract_version,
        features=_described(loans, trained),
        known_ranges=known_ranges(trained, with_outcome(loans, facts.target)),
        as_of=origin.as_of,
        threshold=facts.threshold,
        training=Training(
            snapshot_id=origin.predictor.snapshot_id,
            predictor_id=origin.predictor.predictor_id,
            metrics_id=origin.metrics_id,
            loan_features_id=origin.predictor.loan_features_id,
            account_features_id=origin.account_features_id,
            run_id=origin.predictor.run_id,
            recipe=facts.recipe,
            target=facts.target,
            n_train=facts.n_train,
            bad_train=facts.bad_train,
            first_loan_date=date.fromisoformat(facts.first_loan_date),
            last_loan_date=date.fromisoformat(facts.last_loan_date),
            seconds_train=facts.seconds_train,
        ),
        metrics=validation.metrics,
        software=_software(),
        code_revision=code_revision(),
        files=files,
    )
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=1))
    return manifest


def _described(loans: pd.DataFrame, trained: TrainedPredictor) -> tuple[BundleFeature, ...]:
    inputs = trained.inputs(with_outcome(loans, trained.facts.target))
    return tuple(
        _describe(feature, inputs[feature.name].to_numpy(dtype=np.float64), reference)
        for feature, reference in zip(trained.features, trained.facts.reference, strict=True)
    )


def _describe(feature: Feature, values: FloatArray, reference: float | None) -> BundleFeature:
    null = np.isnan(values)
    known = values[~null]
    quantiles = np.quantile(known, _DECILES) if len(known) else ()
    return BundleFeature(
        name=feature.name,
        baseline=reference,
        quantiles=tuple(float(quantile) for quantile in quantiles),
        null_share=float(null.mean()),
    )


def _fingerprint(path: Path) -> BundleFile:
    data = path.read_bytes()
    return BundleFile(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def _version(created: datetime, files: Mapping[str, BundleFile]) -> str:
    digests = "".join(file.sha256 for _, file in sorted(files.items()))
    fingerprint = hashlib.sha256(digests.encode()).hexdigest()[:8]
    return f"{created:%Y%m%dT%H%M%S%fZ}-{fingerprint}"


def _software() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _SOFTWARE:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
