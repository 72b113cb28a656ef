"""The templates by checkov's rules: findings are fixed, or excused in the template by name."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from loan_pipeline_tests.helpers.cloudformation import ROOT, resources

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    if not (ROOT / ".venv-tools/checkov/bin/checkov").exists():
        pytest.skip("checkov is not installed: bash deploy/tools.sh")
    said = subprocess.run(
        ["bash", "deploy/check_templates.sh", "--output", "json"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    read = json.loads(said.stdout)
    assert isinstance(read, dict), "only one framework has something to say"
    return read


def _excuses() -> Iterator[tuple[str, str]]:
    for stack, name, body in resources():
        for excuse in body.get("Metadata", {}).get("checkov", {}).get("skip", ()):
            yield f"/{stack}.yaml:{body['Type']}.{name}", excuse["id"]


def test_checkov_finds_nothing(report: dict[str, Any]) -> None:
    assert report["results"]["failed_checks"] == []
    assert report["results"]["parsing_errors"] == []
    assert report["summary"]["passed"] > 100


def test_no_excuse_is_stale(report: dict[str, Any]) -> None:
    excused = {
        (f"{found['file_path']}:{found['resource']}", found["check_id"])
        for found in report["results"]["skipped_checks"]
    }
    assert excused == set(_excuses())
