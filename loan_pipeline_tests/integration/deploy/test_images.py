"""Every RUN command of the images in a clean folder and environment, then what they start.

The pipeline's 1.2 GB of packages are installed with LOAN_TEST_PIPELINE_IMAGE=1 alone; without it
the image borrows those of the tests, which have the same versions. Not tried: the bases, Debian's
packages, the download of AWS's authorities.
"""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from contextlib import closing
from pathlib import Path

import pytest

from loan_pipeline_tests.helpers.cloudformation import ROOT
from loan_pipeline_tests.helpers.dockerfile import (
    Outside,
    command,
    plain_environment,
    read_dockerfile,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

_STARTING_SECONDS = 30
_WITH_ITS_PACKAGES = os.environ.get("LOAN_TEST_PIPELINE_IMAGE") == "1"
_COUNT_ASSETS = """
import dagster_postgres
import loan_pipeline
from loan_pipeline.definitions import defs
print(loan_pipeline.__file__, len(defs().resolve_all_asset_keys()))
"""


def _environment(app: Path | None = None) -> dict[str, str]:
    """What an image's commands see; `python` is the one of the base."""
    plain = plain_environment()
    first = app / "venv/bin" if app else Path(os.path.realpath(sys.executable)).parent
    # pip compiles nothing here (its variables of options with "no" want the option's opposite):
    # Python compiles what the test imports.
    return plain | {"PATH": f"{first}:{plain['PATH']}", "PIP_NO_COMPILE": "0"}


def test_the_web_image_builds_and_serves_and_its_health_check_tells(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    stages = read_dockerfile(ROOT / "deploy/web.Dockerfile")
    app = Outside(tmp_path / "build", ROOT, _environment()).build(stages)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    health = [
        part.replace("/app/", f"{app}/").replace(":8000/", f":{port}/")
        for part in command(stages[-1], "HEALTHCHECK")
    ]
    assert subprocess.run(health, env=_environment(app), capture_output=True).returncode == 1
    environment = _environment(app) | {"PORT": port, "LOAN_HOME": str(app / "var")}
    with (tmp_path / "log").open("wb") as log:
        served = subprocess.Popen(
            command(stages[-1], "CMD"), cwd=app, env=environment, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + _STARTING_SECONDS
        while subprocess.run(health, env=_environment(app), capture_output=True).returncode:
            assert served.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(1)
    finally:
        served.terminate()
        served.wait(20)
    # The style sheets are in the image, and nothing of the pipeline or the tests is.
    [packages] = (app / "venv/lib").glob("python*/site-packages")
    assert (packages / "webapp/static/vendor/pico.min.css").exists()
    names = {path.name for path in packages.iterdir()}
    assert not names & {"dagster", "pandas", "autogluon", "pip", "pytest", "loan_pipeline_tests"}


def test_the_pipeline_image_builds_and_its_definitions_load(tmp_path: Path) -> None:
    stages = read_dockerfile(ROOT / "deploy/pipeline.Dockerfile")
    if not _WITH_ITS_PACKAGES:
        instructions = stages[0].instructions
        [locked] = [one for one in instructions if one[0] == "RUN" and "pipeline.lock" in one[1]]
        instructions[instructions.index(locked)] = ("RUN", "python -m venv --without-pip venv")
    app = Outside(tmp_path / "build", ROOT, _environment()).build(stages)
    [packages] = (app / "venv/lib").glob("python*/site-packages")
    if not _WITH_ITS_PACKAGES:
        (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    environment = _environment(app) | {
        "LOAN_HOME": str(app / "var"), "DAGSTER_HOME": str(app / "var/dagster"),
        "DAGSTER_POSTGRES_URL": "postgresql+psycopg2://nobody@127.0.0.1:1/none",
        "DAGSTER_S3_BUCKET": "none", "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    entry = [part.replace("/app/", f"{app}/") for part in command(stages[-1], "ENTRYPOINT")]
    loaded = subprocess.run(
        [*entry, "python", "-c", _COUNT_ASSETS],
        cwd=app, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr[-3000:]
    written = (app / "var/dagster/dagster.yaml").read_text()
    assert written == (ROOT / "deploy/dagster.yaml").read_text()
    where, assets = loaded.stdout.split()
    assert Path(where).is_relative_to(packages), "the image's own package, not the checkout's"
    assert int(assets) > 20
