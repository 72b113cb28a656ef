"""Every RUN command of the web image in a clean folder and environment, then what it starts.

Not tried: the pipeline's image, which installs gigabytes; the bases themselves, Debian's packages,
the download of AWS's authorities.
"""

import os
import shutil
import socket
import subprocess
import sys
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


def _environment(app: Path | None = None) -> dict[str, str]:
    """What an image's commands see; `python` is the one of the base."""
    plain = plain_environment()
    first = app / "venv/bin" if app else Path(os.path.realpath(sys.executable)).parent
    return plain | {"PATH": f"{first}:{plain['PATH']}"}


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
            time.sleep(0.2)
    finally:
        served.terminate()
        served.wait(20)
    # The style sheets are in the image, and nothing of the pipeline or the tests is.
    [packages] = (app / "venv/lib").glob("python*/site-packages")
    assert (packages / "webapp/static/vendor/pico.min.css").exists()
    names = {path.name for path in packages.iterdir()}
    assert not names & {"dagster", "pandas", "autogluon", "pytest", "loan_pipeline_tests"}
