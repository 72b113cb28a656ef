"""`render.yaml` against what Render's blueprint specification allows, both blocks of it.

The names are those of the specification's reference, of what this file uses and little more.
"""

import re
from typing import Any

import pytest
import yaml

from loan_pipeline_tests.helpers.cloudformation import ROOT

TEXT = (ROOT / "render.yaml").read_text()
SERVICE = {
    "type", "name", "runtime", "plan", "region", "branch", "autoDeploy", "numInstances", "envVars",
    "maxShutdownDelaySeconds",
}  # fmt: skip
BY_TYPE = {"web": {"healthCheckPath", "domains"}, "worker": {"disk"}}
BY_RUNTIME = {
    "python": {"buildCommand", "startCommand", "preDeployCommand"},
    "docker": {"dockerfilePath", "dockerContext", "dockerCommand"},
}
NEEDED = {"python": {"buildCommand", "startCommand"}, "docker": set()}
PLANS = {"free", "starter", "standard", "pro", "pro plus"}
DATABASE = {
    "name", "plan", "region", "databaseName", "user", "postgresMajorVersion", "ipAllowList",
    "diskSizeGB",
}  # fmt: skip
FROM_DATABASE = {"host", "port", "user", "password", "database", "connectionString"}


def blueprint(*, whole: bool) -> dict[str, Any]:
    """The file as it is, or with its second block switched on."""
    text = TEXT
    if whole:
        first, second = text.split("  # --- pipeline ---\n")
        text = first + re.sub(r"^( *)# ", r"\1", second, flags=re.MULTILINE)
    read: dict[str, Any] = yaml.safe_load(text)
    return read


@pytest.mark.parametrize("whole", [False, True])
def test_the_blueprint_has_only_fields_that_render_knows(whole: bool) -> None:
    read = blueprint(whole=whole)
    assert set(read) <= {"services", "databases"}
    assert [service["type"] for service in read["services"]] == ["web", "worker"][: 1 + whole]
    for service in read["services"]:
        kind, runtime = service["type"], service["runtime"]
        assert set(service) <= SERVICE | BY_TYPE[kind] | BY_RUNTIME[runtime]
        assert set(service) >= {"type", "name", "runtime"} | NEEDED[runtime]
        assert service["plan"] in PLANS
        if "disk" in service:
            assert set(service["disk"]) == {"name", "mountPath", "sizeGB"}
            assert service["plan"] != "free"  # which has no disks
            assert service.get("numInstances", 1) == 1  # a disk belongs to one instance
    for database in read.get("databases", ()):
        assert set(database) <= DATABASE
        assert database["ipAllowList"] == []  # reached from Render's own network alone


@pytest.mark.parametrize("whole", [False, True])
def test_every_variable_has_one_source_and_no_secret_a_value(whole: bool) -> None:
    read = blueprint(whole=whole)
    databases = {database["name"] for database in read.get("databases", ())}
    for service in read["services"]:
        for variable in service["envVars"]:
            [source] = set(variable) - {"key"}
            assert source in {"value", "generateValue", "sync", "fromDatabase"}
            assert variable.get("sync", False) is False
            assert variable.get("generateValue", True) is True
            if source == "value":
                assert isinstance(variable["value"], str)
                assert not re.search("SECRET|PASSWORD|KEY|URL", variable["key"])
            if source == "fromDatabase":
                assert variable["fromDatabase"]["name"] in databases
                assert variable["fromDatabase"]["property"] in FROM_DATABASE


def test_every_setting_of_ours_exists() -> None:
    settings = set(re.findall(r"^(LOAN_\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    named = {
        variable["key"]
        for service in blueprint(whole=True)["services"]
        for variable in service["envVars"]
    }
    assert {name for name in named if name.startswith("LOAN_")} <= settings


def test_the_app_is_started_and_watched_as_everywhere() -> None:
    [web] = blueprint(whole=False)["services"]
    assert web["startCommand"] == "loan-pipeline serve"
    assert web["healthCheckPath"] == "/healthz"


def test_the_worker_runs_what_its_image_has() -> None:
    _, worker = blueprint(whole=True)["services"]
    image = (ROOT / worker["dockerfilePath"]).read_text()
    assert f'VOLUME ["{worker["disk"]["mountPath"]}"' in image
    for script in re.findall(r"/app/(\S+\.sh)", worker["dockerCommand"]):
        assert (ROOT / script).exists()
        assert script in image
