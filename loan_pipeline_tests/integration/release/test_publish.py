from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from loan_pipeline.contracts.bundle import MANIFEST_FILE, BundleManifest
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.protocol import Pointer, Store, StoreConflict, StoreError
from loan_pipeline.release.gate import released_champion
from loan_pipeline.release.publish import (
    Evidence,
    current_version,
    prune,
    publish,
    read_evidence,
    releases,
    roll_back,
)
from loan_pipeline.scoring.release import load_latest
from loan_pipeline.training.errors import ReleaseRefused
from loan_pipeline_tests.helpers.bundles import write_bundle


@pytest.fixture(params=[pytest.param("folder", marks=pytest.mark.fast), "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store((tmp_path / "lake").as_uri())
    return open_store(request.getfixturevalue("s3_url"))


def release_many(store: Store, folder: Path, count: int, *, keep: int = 10) -> list[str]:
    """Publish `count` bundles one after the other; their versions."""
    versions = []
    for number in range(count):
        created = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
        version = f"{created:%Y%m%dT%H%M%SZ}-{number:08x}"
        write_bundle(folder / version, "application", version=version)
        manifest = BundleManifest.model_validate_json(
            (folder / version / MANIFEST_FILE).read_bytes()
        )
        publish(store, folder / version, manifest, Evidence(out_of_time={7: 0.5}), keep=keep)
        versions.append(version)
    return versions


def test_what_is_published_is_what_the_app_loads(store: Store, tmp_path: Path):
    (version,) = release_many(store, tmp_path / "made", 1)
    scorer = load_latest(store, "application", tmp_path / "cache")
    assert scorer.bundle.manifest.version == version
    assert read_evidence(store, "application", version) == Evidence(out_of_time={7: 0.5})


def test_releases_are_listed_newest_first_and_the_current_one_is_marked(store: Store, tmp_path):
    versions = release_many(store, tmp_path, 3)
    assert [release.version for release in releases(store, "application")] == versions[::-1]
    assert [release.current for release in releases(store, "application")] == [True, False, False]
    assert releases(store, "behavioural") == []


def test_only_the_last_few_are_kept_with_their_evidence(store: Store, tmp_path: Path):
    versions = release_many(store, tmp_path, 4, keep=2)
    assert [release.version for release in releases(store, "application")] == versions[:1:-1]
    left = [key for key in store.list("") if versions[0] in key]
    assert left == []


def test_rolling_back_makes_the_one_before_the_latest(store: Store, tmp_path: Path):
    versions = release_many(store, tmp_path, 3)
    assert roll_back(store, "application").version == versions[1]
    assert roll_back(store, "application").version == versions[0]
    with pytest.raises(ReleaseRefused, match="none is older"):
        roll_back(store, "application")
    assert roll_back(store, "application", versions[2]).version == versions[2]
    assert current_version(store, "application") == versions[2]


def test_the_current_release_outlives_pruning_after_a_roll_back(store: Store, tmp_path: Path):
    versions = release_many(store, tmp_path, 3)
    roll_back(store, "application", versions[0])
    prune(store, "application", keep=1)
    assert [release.version for release in releases(store, "application")] == [
        versions[2],
        versions[0],
    ]
    assert current_version(store, "application") == versions[0]


def test_rolling_back_to_what_is_not_kept_is_refused_with_what_is(store: Store, tmp_path: Path):
    (version,) = release_many(store, tmp_path, 1)
    with pytest.raises(ReleaseRefused, match=f"20200101 is not kept; kept are {version}"):
        roll_back(store, "application", "20200101")
    with pytest.raises(ReleaseRefused, match="no behavioural model was released"):
        roll_back(store, "behavioural")


def test_a_bundle_without_manifest_is_no_release(store: Store, tmp_path: Path):
    (version,) = release_many(store, tmp_path, 1)
    store.write("releases/application/20991231T000000Z-00000000/model.onnx", b"half a bundle")
    assert [release.version for release in releases(store, "application")] == [version]


class _Overtaken:
    """A store where somebody else releases between reading the pointer and replacing it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def replace_pointer(self, key: str, value: dict, expected_token: str | None) -> Pointer:
        pointer = self._store.read_pointer(key)
        token = pointer.token if pointer else None
        self._store.replace_pointer(key, {"version": "somebody-elses"}, token)
        return self._store.replace_pointer(key, value, expected_token)


def test_of_two_releases_at_once_the_second_is_refused(store: Store, tmp_path: Path):
    release_many(store, tmp_path, 1)
    with pytest.raises(ReleaseRefused, match="another application release") as refused:
        release_many(_Overtaken(store), tmp_path / "second", 1)
    assert isinstance(refused.value.__cause__, StoreConflict)
    assert current_version(store, "application") == "somebody-elses"


def test_a_release_that_dies_half_way_leaves_the_old_one(store: Store, tmp_path: Path):
    versions = release_many(store, tmp_path, 1)
    folder = tmp_path / "broken"
    write_bundle(folder, "application", version="20270101T000000Z-00000000")
    manifest = BundleManifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
    (folder / sorted(manifest.files)[-1]).unlink()
    with pytest.raises((StoreError, OSError)):
        publish(store, folder, manifest, Evidence(out_of_time={}), keep=5)
    assert current_version(store, "application") == versions[0]
    assert load_latest(store, "application", tmp_path / "cache").bundle.manifest.as_of > date.min


def test_loans_of_another_bank_are_not_the_same_loans(store: Store, tmp_path: Path):
    (version,) = release_many(store, tmp_path, 1)
    manifest = releases(store, "application")[0].manifest
    evidence = Evidence(out_of_time={7: 0.5}, bank="bank A")
    publish(store, tmp_path / version, manifest, evidence, keep=5)
    same = released_champion(store, "application", "bank A")
    other = released_champion(store, "application", "bank B")
    assert same is not None
    assert other is not None
    assert same.out_of_time == {7: 0.5}
    assert other.out_of_time == {}
