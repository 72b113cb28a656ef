"""Makes the folder of a bundle: model, look-up, report, pictures, and the manifest last."""

import hashlib
import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from loan_pipeline.contracts.bundle import (
    ACCOUNTS_FILE,
    MANIFEST_FILE,
    METRICS_FILE,
    ONNX,
    BundleFeature,
    BundleFile,
    BundleManifest,
    Training,
    model_file,
)
from loan_pipeline.contracts.features import Feature
from loan_pipeline.evaluation.validation import Validation
from loan_pipeline.export.export import export_onnx
from loan_pipeline.export.packed import pack
from loan_pipeline.release.accounts import write_accounts
from loan_pipeline.training.errors import ModelError
from loan_pipeline.training.inputs import FloatArray, with_outcome
from loan_pipeline.training.predictor import TrainedPredictor
from loan_pipeline.training.recipes import model_kind, recipe

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
        snapshot_id: the snapshot that the loans and accounts were built from.
        as_of: up to when the snapshot knows the accounts, exclusive.
        run_id: the run that trained the predictor.
        code_revision: the commit of this software, where known.
    """

    snapshot_id: str
    as_of: date
    run_id: str
    code_revision: str | None = None


def released_model(trained: TrainedPredictor) -> bytes:
    """The file of a bundle that holds the model: a graph where the recipe has one.

    Raises:
        NotExportable: a trained model uses something that has no ONNX form.
    """
    if model_kind(recipe(trained.facts.recipe)) == ONNX:
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
    kind = model_kind(recipe(facts.recipe))
    (folder / model_file(kind)).write_bytes(model)
    if facts.feature_set == "behavioural":
        if serving is None or serving.empty:
            raise ModelError("a behavioural bundle needs the accounts' features, and got none")
        write_accounts(serving, trained.features, folder / ACCOUNTS_FILE)
    (folder / METRICS_FILE).write_text(json.dumps(validation.report, indent=1))
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
        as_of=origin.as_of,
        threshold=facts.threshold,
        training=Training(
            snapshot_id=origin.snapshot_id,
            run_id=origin.run_id,
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
        code_revision=origin.code_revision,
        files=files,
    )
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=1))
    return manifest


def code_revision() -> str | None:
    """The commit that this software runs from; None where it is no checkout."""
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def _described(loans: pd.DataFrame, trained: TrainedPredictor) -> tuple[BundleFeature, ...]:
    inputs = trained.inputs(with_outcome(loans, trained.facts.target))
    return tuple(
        _describe(feature, inputs[feature.name].to_numpy(dtype=np.float64), typical)
        for feature, typical in zip(trained.features, trained.facts.reference, strict=True)
    )


def _describe(feature: Feature, values: FloatArray, typical: float | None) -> BundleFeature:
    null = np.isnan(values)
    known = values[~null]
    quantiles = np.quantile(known, _DECILES) if len(known) else ()
    return BundleFeature(
        name=feature.name,
        baseline=typical,
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
