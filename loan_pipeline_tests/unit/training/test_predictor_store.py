"""Predictors in the lake: which stay, and what is refused. Training is not needed for it."""

import tarfile
from pathlib import Path

import pytest

from loan_pipeline.contracts.bundle import BundleFile
from loan_pipeline.contracts.predictor import ARCHIVE_FILE, PredictorManifest, predictor_key
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.training.predictor_store import (
    PredictorDamaged,
    delete_old_predictors,
    list_predictors,
    open_predictor,
)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "lake")


def _add(
    store: FolderStore, number: int, *, holdout_of: int | None = None, whole: bool = True
) -> PredictorManifest:
    """A predictor without contents; ids sort by number."""
    manifest = PredictorManifest(
        predictor_id=_id(number),
        holdout_of=None if holdout_of is None else _id(holdout_of),
        feature_set="application",
        recipe="quick",
        target="observed",
        seed=0,
        cost_ratio=None,
        test_from=None,
        snapshot_id="snapshot-1",
        loan_features_id="loans-1",
        run_id="run-1",
        code_revision=None,
        files={ARCHIVE_FILE: BundleFile(bytes=7, sha256="0" * 64)},
    )
    store.write(predictor_key("application", manifest.predictor_id, ARCHIVE_FILE), b"archive")
    if whole:
        text = manifest.model_dump_json().encode()
        store.write(predictor_key("application", manifest.predictor_id), text)
    return manifest


def _id(number: int) -> str:
    return f"20261122T12000000{number:04}Z-00000000"


def _left(store: FolderStore) -> set[str]:
    return set(store.folders("predictors/application"))


def test_the_newest_stay_with_their_holdout_predictors_and_those_referred_to(
    store: FolderStore,
) -> None:
    for number in range(0, 10, 2):
        _add(store, number)
        _add(store, number + 1, holdout_of=number)
    delete_old_predictors(store, "application", keep=2, referred={_id(2)})
    assert _left(store) == {_id(number) for number in (2, 3, 6, 7, 8, 9)}


def test_what_a_killed_training_left_goes_once_it_is_old_and_what_is_under_way_stays(
    store: FolderStore,
) -> None:
    _add(store, 1, whole=False)
    _add(store, 2)
    _add(store, 3, whole=False)
    assert [one.predictor_id for one in list_predictors(store, "application")] == [_id(2)]
    delete_old_predictors(store, "application", keep=1, referred=set())
    assert _left(store) == {_id(2), _id(3)}


def test_a_manifest_of_another_version_of_the_software_is_left_out(store: FolderStore) -> None:
    _add(store, 1)
    store.write(predictor_key("application", _id(2)), b'{"predictor_id": "other"}')
    assert [one.predictor_id for one in list_predictors(store, "application")] == [_id(1)]


def test_a_changed_archive_is_refused_before_anything_of_it_is_opened(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = _add(store, 1)

    def opened(*_: object) -> None:
        raise AssertionError("the archive was opened")

    monkeypatch.setattr(tarfile, "open", opened)
    with pytest.raises(PredictorDamaged, match="materialise application/predictor again"):
        open_predictor(store, manifest, tmp_path / "cache")
    assert list((tmp_path / "cache" / "application").iterdir()) == []
