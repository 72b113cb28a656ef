"""What may be loaded, and everything that must be refused."""

import json
from pathlib import Path

import pytest

from loan_pipeline.contracts.bundle import ACCOUNTS_FILE, MANIFEST_FILE
from loan_pipeline.scoring.bundle import BundleError, load_bundle
from loan_pipeline.scoring.scorer import Scorer
from loan_pipeline_tests.helpers.bundles import MODEL_FILE, write_bundle


def edit_manifest(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest | changes))


@pytest.mark.parametrize("name", ["application", "behavioural"])
@pytest.mark.parametrize("kind", ["logistic", "trees"])
def test_a_sound_bundle_loads_and_scores(tmp_path, name, kind):
    write_bundle(tmp_path, name, kind=kind)
    bundle = load_bundle(tmp_path)
    assert bundle.manifest.feature_set == name
    assert bundle.pictures == ("calibration.svg",)
    assert 0 <= Scorer(bundle).probabilities(bundle.baseline.astype("float32")[None, :])[0] <= 1


@pytest.mark.parametrize("file", [MODEL_FILE, ACCOUNTS_FILE, "calibration.svg"])
def test_a_truncated_file_is_refused_by_name(tmp_path, file):
    write_bundle(tmp_path, "behavioural")
    (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:-1])
    with pytest.raises(BundleError, match=rf"{file} has .* bytes instead of"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("file", [MODEL_FILE, ACCOUNTS_FILE])
def test_a_changed_byte_is_refused_by_name(tmp_path, file):
    write_bundle(tmp_path, "behavioural")
    data = bytearray((tmp_path / file).read_bytes())
    data[-1] ^= 1
    (tmp_path / file).write_bytes(bytes(data))
    with pytest.raises(BundleError, match=f"{file} has another SHA-256"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("file", [MODEL_FILE, MANIFEST_FILE, "calibration.svg"])
def test_a_missing_file_is_refused_by_name(tmp_path, file):
    write_bundle(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(BundleError, match=f"No such file.*{file}"):
        load_bundle(tmp_path)


def test_the_manifest_of_a_newer_format_is_refused_before_it_is_read(tmp_path):
    write_bundle(tmp_path)
    edit_manifest(tmp_path, format=99, features="in quite another shape")
    with pytest.raises(BundleError, match="bundle format 99, this software reads "):
        load_bundle(tmp_path)


def test_a_bundle_for_another_feature_contract_is_refused(tmp_path):
    write_bundle(tmp_path)
    edit_manifest(tmp_path, contract_version="0123456789abcdef")
    with pytest.raises(BundleError, match="feature contract 0123456789abcdef"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("name", ["../evil", "a/b", ".hidden", "manifest.json", ""])
def test_file_names_that_lead_elsewhere_are_refused(tmp_path, name):
    write_bundle(tmp_path)
    files = json.loads((tmp_path / MANIFEST_FILE).read_text())["files"]
    edit_manifest(tmp_path, files=files | {name: {"bytes": 0, "sha256": ""}})
    with pytest.raises(BundleError, match="which no bundle may have"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', "\ufeff{}", '{"format": 2e9}'])
def test_a_manifest_that_is_none_is_refused(tmp_path, text):
    write_bundle(tmp_path)
    (tmp_path / MANIFEST_FILE).write_text(text)
    with pytest.raises(BundleError, match="is not a bundle manifest"):
        load_bundle(tmp_path)


def test_a_behavioural_bundle_without_accounts_is_refused(tmp_path):
    write_bundle(tmp_path, "behavioural")
    files = json.loads((tmp_path / MANIFEST_FILE).read_text())["files"]
    del files[ACCOUNTS_FILE]
    edit_manifest(tmp_path, files=files)
    with pytest.raises(BundleError, match=f"lacks {ACCOUNTS_FILE}"):
        load_bundle(tmp_path)


def test_a_model_that_is_garbage_is_refused_though_its_checksum_is_right(tmp_path):
    write_bundle(tmp_path, model=b"this is no graph" * 100)
    with pytest.raises(BundleError, match="is not a model that can be run"):
        Scorer(load_bundle(tmp_path))


def test_a_model_for_another_number_of_features_is_refused(tmp_path):
    from loan_pipeline_tests.helpers.bundles import tree_graph

    write_bundle(tmp_path, model=tree_graph(features=4))
    with pytest.raises(BundleError, match=r"must take features \[rows, 13\]"):
        Scorer(load_bundle(tmp_path))


def test_accounts_that_are_no_database_are_refused(tmp_path):
    write_bundle(tmp_path, "behavioural")
    (tmp_path / ACCOUNTS_FILE).write_bytes(b"not a database" * 1000)
    import hashlib

    data = (tmp_path / ACCOUNTS_FILE).read_bytes()
    files = json.loads((tmp_path / MANIFEST_FILE).read_text())["files"]
    files[ACCOUNTS_FILE] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    edit_manifest(tmp_path, files=files)
    with pytest.raises(BundleError, match="cannot be read"):
        Scorer(load_bundle(tmp_path))
