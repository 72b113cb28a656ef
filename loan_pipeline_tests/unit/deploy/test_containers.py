"""The Dockerfiles and the compose file, as far as reading them tells."""

import re
import shutil
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml

from loan_pipeline_tests.helpers.cloudformation import ROOT, resources
from loan_pipeline_tests.helpers.dockerfile import Stage, command, read_dockerfile

DOCKERFILES = ("web", "pipeline")
SECRETS = {"BANK_PASSWORD": "a", "DAGSTER_PASSWORD": "b", "S3_SECRET": "c"}


def stages(name: str) -> list[Stage]:
    return read_dockerfile(ROOT / f"deploy/{name}.Dockerfile")


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
    return read


@pytest.mark.parametrize("name", DOCKERFILES)
def test_hadolint_has_nothing_to_say(name: str) -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    said = subprocess.run(
        [hadolint, ROOT / f"deploy/{name}.Dockerfile"], capture_output=True, text=True
    )
    assert said.returncode == 0, said.stdout


@pytest.mark.parametrize("name", DOCKERFILES)
def test_bases_are_pinned_to_a_full_version(name: str) -> None:
    for stage in stages(name):
        assert re.search(r":\d+\.\d+\.\d+-\S+$", stage.base)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_image_does_not_run_as_root_and_has_no_compiler(name: str) -> None:
    image = stages(name)[-1]
    assert image.all("USER") == ["10001:10001"]
    assert "-slim" in image.base
    assert not re.search(
        r"\b(gcc|g\+\+|build-essential|python3?-dev)\b", " ".join(image.all("RUN"))
    )


@pytest.mark.parametrize("name", DOCKERFILES)
def test_packages_come_by_their_hashes_as_wheels(name: str) -> None:
    runs = " ".join(stages(name)[-2].all("RUN"))
    assert f"--no-deps --require-hashes --only-binary=:all: -r deploy/{name}.lock" in runs
    assert "pip --python venv check" in runs  # the lock is complete


def _package(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pins(path: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([\w.+!-]+)", (ROOT / path).read_text(), re.MULTILINE)
    return {_package(name): version for name, version in found}


@pytest.mark.parametrize("name", DOCKERFILES)
def test_locks_pin_what_the_tests_run_with(name: str) -> None:
    locked, tested = _pins(f"deploy/{name}.lock"), _pins("requirements.lock")
    known = {package: version for package, version in locked.items() if package in tested}
    assert known == {package: tested[package] for package in known}
    assert set(locked) - set(tested) <= {"setuptools", "pip", "wheel"}


@pytest.mark.parametrize(
    ("name", "extras"), [("web", ("web", "lambda")), ("pipeline", ("pipeline", "postgres"))]
)
def test_locks_have_what_the_project_asks_for(name: str, extras: tuple[str, ...]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = project["dependencies"] + [
        one for extra in extras for one in project["optional-dependencies"][extra]
    ]
    names = {_package(re.split(r"[\[<>=!~ ;]", one)[0]) for one in asked}
    missing = names - set(_pins(f"deploy/{name}.lock"))
    assert not missing, f"run deploy/supply-chain.sh lock: deploy/{name}.lock lacks {missing}"


def test_the_app_is_asked_whether_it_is_well() -> None:
    image = stages("web")[-1]
    assert command(image, "HEALTHCHECK")[-1] == "http://127.0.0.1:8000/healthz"
    assert "PORT=8000" in image.all("ENV")[0]


def test_tasks_on_ecs_mount_the_folders_that_the_image_writes() -> None:
    [volumes] = [stage.all("VOLUME")[0] for stage in stages("pipeline") if stage.all("VOLUME")]
    for _, _, task in resources("AWS::ECS::TaskDefinition"):
        for container in task["Properties"]["ContainerDefinitions"]:
            mounted = {mount["ContainerPath"] for mount in container["MountPoints"]}
            assert mounted == set(re.findall(r'"([^"]+)"', volumes))


def test_compose_accepts_the_file() -> None:
    if (program := shutil.which("docker-compose")) is None:
        pytest.skip("docker-compose is not installed (Debian: apt-get install docker-compose)")
    checked = subprocess.run(
        [program, "-f", "deploy/compose.yaml", "config", "-q"],
        cwd=ROOT, env=SECRETS, capture_output=True, text=True,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    refused = subprocess.run(
        [program, "-f", "deploy/compose.yaml", "config", "-q"],
        cwd=ROOT, env={}, capture_output=True, text=True,
    )  # fmt: skip
    assert refused.returncode != 0  # no password is a default
    assert "set it" in refused.stderr


def test_services_start_when_what_they_need_is_well() -> None:
    services = compose()["services"]
    needs = {name: service.get("depends_on", {}) for name, service in services.items()}
    order = list(
        TopologicalSorter({name: set(wanted) for name, wanted in needs.items()}).static_order()
    )
    assert order.index("code") > max(
        order.index(one) for one in ("bank", "storage", "s3", "bucket")
    )
    assert min(order.index("webserver"), order.index("daemon")) > order.index("code")
    for wanted in needs.values():
        for name, condition in wanted.items():
            if condition["condition"] == "service_healthy":
                assert services[name]["healthcheck"]["test"]
            else:  # a task that ends
                assert condition["condition"] == "service_completed_successfully"
                assert name == "bucket"


def test_compose_publishes_on_this_machine_alone_and_pins_its_images() -> None:
    for service in compose()["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        if "build" not in service:
            assert re.search(r":\d+\.\d+(\.\d+)?(-\w+)?$", service["image"])


def test_compose_gives_settings_that_exist() -> None:
    settings = set(re.findall(r"^(LOAN_\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    given = {name for service in compose()["services"].values() for name in service["environment"]}
    assert {name for name in given if name.startswith("LOAN_")} <= settings


def test_the_s3_server_is_the_one_that_the_tests_run_with() -> None:
    pinned = re.search(r"^moto==(\S+)$", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert pinned
    assert compose()["services"]["s3"]["image"] == f"motoserver/moto:{pinned[1]}"
