"""Bills of materials of the images, and the audit that must not pass for one that was not made."""

import json
import re
import subprocess

import pytest

from loan_pipeline_tests.helpers.cloudformation import ROOT
from loan_pipeline_tests.helpers.dockerfile import plain_environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def _run(word: str) -> subprocess.CompletedProcess[str]:
    if not (ROOT / ".venv-tools/supply-chain/bin/pip-audit").exists():
        pytest.skip("the tools are not installed: bash deploy/tools.sh")
    return subprocess.run(
        ["bash", "deploy/supply-chain.sh", word],
        cwd=ROOT, env=plain_environment(), capture_output=True, text=True,
    )  # fmt: skip


def test_the_bills_of_materials_name_every_package_of_the_locks() -> None:
    made = _run("sbom")
    assert made.returncode == 0, made.stderr
    for image in ("web", "pipeline"):
        lock = (ROOT / f"deploy/{image}.lock").read_text()
        locked = set(re.findall(r"^([\w.-]+)==([^ ]+) ", lock, re.MULTILINE))
        bill = json.loads((ROOT / f"var/sbom/{image}.cdx.json").read_text())
        assert bill["bomFormat"] == "CycloneDX"
        assert {(found["name"], found["version"]) for found in bill["components"]} == locked
        hashed = [found for found in bill["components"] if "sha256" in json.dumps(found)]
        assert len(hashed) == len(locked)


def test_an_audit_that_could_not_be_made_is_no_clean_one() -> None:
    audit = _run("audit")
    if audit.returncode == 0:
        assert "could not be audited" not in audit.stdout
    else:
        assert audit.returncode == 2, audit.stdout  # 1: there are vulnerabilities
        assert "was not audited" in audit.stderr
