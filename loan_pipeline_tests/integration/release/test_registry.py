"""Releases in MLflow: a real server, and that nothing depends on it."""

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from loan_pipeline.cli import main
from loan_pipeline.contracts.bundle import BundleManifest
from loan_pipeline.definitions import build_defs
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.release.approval import keep_waiting
from loan_pipeline.release.publish import HoldoutPredictions, current_version
from loan_pipeline.release.registry import follow_in_registry, registered_name
from loan_pipeline.settings import Settings
from loan_pipeline_tests.helpers.bundles import MODEL_FILE, passed_verdict, release_bundle
from loan_pipeline_tests.helpers.bundles import write_bundle as write
from loan_pipeline_tests.helpers.cloudformation import ROOT

FIRST, SECOND = "20260101T000000Z-00000001", "20260102T000000Z-00000002"
MODEL = registered_name("behavioural")
PASSWORD = "hunter2"

Wait = Callable[[str], BundleManifest]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of MLflow's own server, installed by `make tools`."""
    program = ROOT / ".venv-tools/mlflow/bin/mlflow"
    if not program.exists():
        pytest.skip("MLflow's server is not installed: bash deploy/tools.sh")
    folder = tmp_path_factory.mktemp("mlflow")
    port, log = free_port(), folder / "server.log"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "server", "--port", str(port), "--workers", "1",
             "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
             "--artifacts-destination", str(folder / "artifacts")],
            cwd=folder, stdout=output, stderr=subprocess.STDOUT,
            env=environment | {"MLFLOW_DISABLE_TELEMETRY": "true",
                               "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 200  # its imports take long on a busy machine
        with httpx.Client(timeout=5) as client:  # made once: it loads certificates
            while not _answers(client, f"http://127.0.0.1:{port}/health"):
                assert time.monotonic() < deadline, log.read_text()[-3000:]
                assert process.poll() is None, log.read_text()[-3000:]
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
        assert PASSWORD not in log.read_text()
    finally:
        process.terminate()
        process.wait(30)


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).is_success
    except httpx.HTTPError:
        return False


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "lake")


@pytest.fixture
def wait(store: FolderStore, tmp_path: Path) -> Wait:
    """Have a candidate wait for approval."""

    def keep(version: str) -> BundleManifest:
        manifest = write(tmp_path / version, "behavioural", version=version, seed=int(version[-1]))
        verdict = passed_verdict(manifest, current_version(store, "behavioural"))
        predictions = HoldoutPredictions(out_of_time={})
        candidate = (store, tmp_path / version, manifest, verdict, predictions)
        keep_waiting(*candidate, minimum_roc_auc=0.6, by="a schedule")
        return manifest

    return keep


@pytest.mark.timeout(400)
def test_mlflow_shows_each_release_and_which_one_is_current(
    mlflow_server: str, wait: Wait, tmp_path: Path
) -> None:
    address = mlflow_server.replace("http://", f"http://jana:{PASSWORD}@")

    def ask(path: str, /, **parameters: str) -> dict[str, Any]:
        answer = httpx.get(f"{mlflow_server}/api/2.0/mlflow/{path}", params=parameters)
        assert answer.is_success, answer.text
        return answer.json()

    def by_alias(alias: str) -> dict[str, Any]:
        found = ask("registered-models/alias", name=MODEL, alias=alias)["model_version"]
        assert found["status"] == "READY"
        return found

    def releases(*options: str) -> None:
        result = CliRunner().invoke(
            main,
            ["releases", *options],
            env={"LOAN_HOME": str(tmp_path), "MLFLOW_TRACKING_URI": address},
        )
        assert result.exit_code == 0, result.output
        assert "not registered" not in result.output
        assert PASSWORD not in result.output

    first = wait(FIRST)
    decision = {"version": FIRST, "decision": "approve", "by": "Jana", "note": "Good."}
    settings = Settings(home=tmp_path, mlflow_tracking_uri=SecretStr(address))
    job = build_defs(settings).resolve_job_def("release_decision")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process({"ops": {"decide": {"config": decision}}}, instance).success
    assert by_alias("released")["version"] == by_alias(FIRST)["version"]

    second = wait(SECOND)
    releases("--approve", SECOND, "--by", "Jana", "--note", "Better.")
    registered = by_alias("released")
    assert registered["version"] == by_alias(SECOND)["version"] != by_alias(FIRST)["version"]

    run = ask("runs/get", run_id=registered["run_id"])["run"]
    assert run["info"]["run_name"] == SECOND
    assert run["info"]["status"] == "FINISHED"
    parameters = {one["key"]: one["value"] for one in run["data"]["params"]}
    assert parameters["snapshot_id"] == second.training.snapshot_id
    assert parameters["n_train"] == str(second.training.n_train)
    metrics = {one["key"]: one["value"] for one in run["data"]["metrics"]}
    roc_auc = second.metrics["out_of_time"]["roc_auc"]
    assert metrics["out_of_time/roc_auc"] == roc_auc.value
    assert metrics["out_of_time/roc_auc_low"] == roc_auc.low

    kept = ask("artifacts/list", run_id=registered["run_id"], path="bundle")["files"]
    names = {one["path"].removeprefix("bundle/") for one in kept}
    assert names == {"calibration.svg", "manifest.json", "metrics.json"}, "and no accounts"
    for version, manifest in ((FIRST, first), (SECOND, second)):
        graph = httpx.get(
            f"{mlflow_server}/get-artifact",
            params={"run_id": by_alias(version)["run_id"], "path": f"model/{MODEL_FILE}"},
        ).content
        assert hashlib.sha256(graph).hexdigest() == manifest.files[MODEL_FILE].sha256
        assert by_alias(version)["tags"][-1]["value"] == manifest.files[MODEL_FILE].sha256

    releases("--roll-back")
    assert by_alias("released")["version"] == by_alias(FIRST)["version"]
    assert len(ask("registered-models/get", name=MODEL)["registered_model"]["aliases"]) == 3


def test_a_registry_that_is_down_is_a_warning_without_the_password(
    store: FolderStore, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    release_bundle(store.root, "behavioural")
    address = SecretStr(f"http://jana:{PASSWORD}@127.0.0.1:{free_port()}")
    said = follow_in_registry(store, "behavioural", address)
    assert said is not None
    assert "not registered in MLflow at 127.0.0.1: ConnectionRefusedError" in said
    assert said in caplog.text
    printed = capfd.readouterr()
    assert PASSWORD not in said + caplog.text + printed.out + printed.err
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_without_the_client_the_extra_is_named_and_without_the_setting_nobody_asks_for_it(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)  # whoever imports it gets an ImportError
    assert follow_in_registry(store, "behavioural", None) is None
    assert caplog.text == ""
    said = follow_in_registry(store, "behavioural", SecretStr(f"http://jana:{PASSWORD}@mlflow"))
    assert said is not None
    assert "pip install '.[pipeline,mlflow]'" in said
    assert said in caplog.text
    assert PASSWORD not in caplog.text
