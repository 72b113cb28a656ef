"""Which models are opened, and by whom."""

import json
import os
import subprocess
import sys

import pytest

from loan_pipeline.contracts.bundle import MANIFEST_FILE
from loan_pipeline.scoring.bundle import BundleError, load_bundle
from loan_pipeline.scoring.scorer import Scorer
from loan_pipeline_tests.helpers.bundles import application_fields, write_bundle


def test_a_manifest_from_before_there_were_kinds_means_a_graph(tmp_path):
    write_bundle(tmp_path)
    manifest = json.loads((tmp_path / MANIFEST_FILE).read_text())
    del manifest["kind"]
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(manifest))
    assert Scorer(load_bundle(tmp_path)).score_application(application_fields()).reasons


@pytest.mark.parametrize("allowed", [False, True])
def test_a_kind_that_nothing_opens_is_named(tmp_path, allowed):
    write_bundle(tmp_path, model=b"whatever", model_kind="prophet")
    with pytest.raises(BundleError, match=r"model\.prophet is of the kind prophet, which nothing"):
        Scorer(load_bundle(tmp_path), allow_pickles=allowed)


def test_a_kind_that_leads_out_of_its_folder_is_no_kind(tmp_path):
    write_bundle(tmp_path)
    manifest = json.loads((tmp_path / MANIFEST_FILE).read_text())
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(manifest | {"kind": "x/../../evil"}))
    with pytest.raises(BundleError, match=r"is not a bundle manifest \(kind"):
        load_bundle(tmp_path)


def test_a_predictor_is_refused_where_pickles_are_not_allowed(tmp_path):
    write_bundle(tmp_path, model=b"whatever", model_kind="autogluon")
    with pytest.raises(BundleError, match=r"holds pickles .* set LOAN_ALLOW_PICKLES=true"):
        Scorer(load_bundle(tmp_path))


def test_the_runtime_reports_nothing_and_leaves_nothing_in_the_home_folder(tmp_path):
    bundle, home = tmp_path / "bundle", tmp_path / "home"
    write_bundle(bundle)
    home.mkdir()
    # Alone: what CI services and pytest set silences the runtime too.
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    script = (
        "import sys; from pathlib import Path\n"
        "from loan_pipeline.scoring.bundle import load_bundle\n"
        "from loan_pipeline.scoring.scorer import Scorer\n"
        "Scorer(load_bundle(Path(sys.argv[1])))"
    )
    subprocess.run([sys.executable, "-c", script, bundle], check=True, env=environment)
    assert list(home.iterdir()) == []
