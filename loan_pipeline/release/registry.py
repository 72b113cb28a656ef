"""Releases in MLflow, for banks that keep their models there: a copy, which nothing here reads.

Each feature set has an experiment and a registered model of one name. A release is a run in the
one and a version of the other, under an alias that is the release's own version; the alias
`released` follows the pointer in the lake.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from pydantic import SecretStr

from loan_pipeline.contracts.bundle import (
    ACCOUNTS_FILE,
    MANIFEST_FILE,
    ONNX,
    BundleManifest,
    model_file,
)
from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.lake.protocol import Store
from loan_pipeline.progress import warn
from loan_pipeline.release.publish import read_release_file, releases

if TYPE_CHECKING:
    from mlflow import MlflowClient

RELEASED = "released"
_MODEL_FOLDER, _BUNDLE_FOLDER = "model", "bundle"
# MLflow takes these from the environment alone. Its own defaults would hold a release up for
# minutes where the server is down, print the address with its password, and report home.
_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}


def registered_name(name: FeatureSet) -> str:
    """What a feature set's experiment and registered model are called."""
    return f"loan-pipeline-{name}"


def follow_in_registry(store: Store, name: FeatureSet, uri: SecretStr | None) -> str | None:
    """Show in MLflow what the lake holds: each kept release, and which one is current.

    To be called after the pointer has moved. What MLflow has missed while it was down is added the
    next time; nothing is ever deleted there. It never fails: what goes wrong is a warning.

    Args:
        store: the lake.
        name: the feature set.
        uri: MLflow's address; without one nothing is done.

    Returns:
        What was done, or why it was not, in words; None without an address.
    """
    if uri is None:
        return None
    for variable, value in _DEFAULTS.items():
        os.environ.setdefault(variable, value)
    try:
        from mlflow import MlflowClient
    except ImportError:
        said = (
            "MLFLOW_TRACKING_URI is set, but MLflow's client is not installed, so no release is "
            "registered: pip install '.[pipeline,mlflow]', or take the setting away"
        )
        warn(said)
        return said
    try:
        return _follow(MlflowClient(uri.get_secret_value()), store, name)
    except Exception as error:  # noqa: BLE001  whatever fails there, the release stands here
        said = (
            f"the {name} release is not registered in MLflow at {_host(uri)}: {_reason(error)}. "
            "The release itself stands; the next one, or a roll-back, registers both"
        )
        warn(said)
        return said


def _follow(client: "MlflowClient", store: Store, name: FeatureSet) -> str:
    model = registered_name(name)
    known = _aliases(client, model)
    said = f"{model} has no version that is released"
    for release in reversed(releases(store, name)):
        version = known.get(release.version) or _register(client, store, release.manifest)
        if release.current:
            said = f"version {version} of {model} is released"
            if known.get(RELEASED) != version:
                client.set_registered_model_alias(model, RELEASED, version)
    return said


def _aliases(client: "MlflowClient", model: str) -> dict[str, str]:
    """The registered model's versions by alias; it is made where there is none."""
    found = client.search_registered_models(f"name = '{model}'") or [
        client.create_registered_model(model)
    ]
    return {alias: str(version) for alias, version in found[0].aliases.items()}


def _register(client: "MlflowClient", store: Store, manifest: BundleManifest) -> str:
    """Add a release as a run and as a model's version; the alias last, by which it is found."""
    model, file = registered_name(manifest.feature_set), model_file(manifest.kind)
    with _run(client, manifest) as run, tempfile.TemporaryDirectory(prefix="mlflow-") as folder:
        bundle, graph = Path(folder, _BUNDLE_FOLDER), Path(folder, _MODEL_FOLDER)
        bundle.mkdir()
        # The accounts' features are people's data: they stay in the lake.
        for kept in {*manifest.files, MANIFEST_FILE} - {file, ACCOUNTS_FILE}:
            data = read_release_file(store, manifest.feature_set, manifest.version, kept)
            (bundle / kept).write_bytes(data)
        data = read_release_file(store, manifest.feature_set, manifest.version, file)
        _write_model(graph, data, manifest)
        client.log_artifacts(run.info.run_id, folder)
        registered = client.create_model_version(
            model,
            f"{run.info.artifact_uri}/{_MODEL_FOLDER}",
            run.info.run_id,
            tags={"release": manifest.version, "sha256": manifest.files[file].sha256},
        )
    version = str(registered.version)
    client.set_registered_model_alias(model, manifest.version, version)
    return version


@contextmanager
def _run(client: "MlflowClient", manifest: BundleManifest) -> Iterator[Any]:
    """A run with the release's parameters and metrics, failed where the block fails."""
    from mlflow.entities import Metric, Param

    called = registered_name(manifest.feature_set)
    found = client.get_experiment_by_name(called)
    experiment = found.experiment_id if found else client.create_experiment(called)
    at = int(manifest.created_at.timestamp() * 1000)
    run = client.create_run(experiment, start_time=at, run_name=manifest.version)
    try:
        parameters = manifest.training.model_dump(mode="json", exclude_none=True) | {
            "threshold": manifest.threshold,
            "features": len(manifest.features),
            "code_revision": manifest.code_revision,
            **{f"software/{name}": version for name, version in manifest.software.items()},
        }
        metrics = {
            f"{sample}/{metric}{suffix}": value
            for sample, of_sample in manifest.metrics.items()
            for metric, found in of_sample.items()
            for suffix, value in (("", found.value), ("_low", found.low), ("_high", found.high))
        }
        client.log_batch(
            run.info.run_id,
            [Metric(key, value, at, 0) for key, value in metrics.items()],
            [Param(key, str(value)) for key, value in parameters.items()],
        )
        yield run
    except BaseException:
        client.set_terminated(run.info.run_id, "FAILED")
        raise
    client.set_terminated(run.info.run_id)


def _write_model(folder: Path, data: bytes, manifest: BundleManifest) -> None:
    """A graph as MLflow's ONNX flavour; pickles as they are, which MLflow does not open."""
    if manifest.kind != ONNX:
        folder.mkdir()
        (folder / model_file(manifest.kind)).write_bytes(data)
        return
    import mlflow.onnx
    import onnx

    mlflow.onnx.save_model(
        onnx.load_from_string(data),
        folder,
        signature=mlflow.models.infer_signature(
            np.zeros((2, len(manifest.features)), dtype=np.float32)
        ),
        # Found out by MLflow they would cost a process that loads the model.
        pip_requirements=[
            f"{package}=={manifest.software[package]}"
            for package in ("onnx", "onnxruntime")
            if package in manifest.software
        ],
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
    )
    (folder / model_file(ONNX)).write_bytes(data)  # the very bytes that the manifest vouches for


def _host(uri: SecretStr) -> str:
    """Where MLflow is, without what may be secret."""
    return urlsplit(uri.get_secret_value()).hostname or "MLFLOW_TRACKING_URI"


def _reason(error: BaseException) -> str:
    """What went wrong by names alone: MLflow's messages quote its address, password included."""
    while deeper := error.__cause__ or error.__context__:
        error = deeper
    code = getattr(error, "error_code", None)
    return f"{type(error).__name__}{f' ({code})' if code else ''}"
