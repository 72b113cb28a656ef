from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from loan_pipeline.contracts.bundle import MANIFEST_FILE, BundleManifest
from loan_pipeline.contracts.origin import RecordsDiffer
from loan_pipeline.contracts.verdict import Check
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.protocol import Pointer, Store, StoreConflict, StoreError
from loan_pipeline.release.gate import released_champion
from loan_pipeline.release.publish import (
    HoldoutPredictions,
    current_version,
    prune,
    publish,
    read_holdout_predictions,
    releases,
    roll_back,
)
from loan_pipeline.scoring.release import load_latest
from loan_pipeline.training.errors import ReleaseRefused
from loan_pipeline_tests.helpers.bundles import passed_verdict, write_bundle

NO_PREDICTIONS = HoldoutPredictions(out_of_time={})


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store((tmp_path / "lake").as_uri())
    return open_store(request.getfixturevalue("s3_url"))


def release_many(
    store: Store, folder: Path, count: int, *, keep: int = 10, first_day: int = 0
) -> list[str]:
    """Publish `count` bundles one after the other; their versions."""
    versions = []
    for number in range(count):
        created = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=first_day + number)
        version = f"{created:%Y%m%dT%H%M%SZ}-{number:08x}"
        write_bundle(folder / version, "application", version=version)
        manifest = BundleManifest.model_validate_json(
            (folder / version / MANIFEST_FILE).read_bytes()
        )
        predictions = HoldoutPredictions(out_of_time={7: 0.5})
        _publish(store, folder / version, manifest, predictions, keep=keep)
        versions.append(version)
    return versions


def _publish(
    store: Store,
    folder: Path,
    manifest: BundleManifest,
    predictions: HoldoutPredictions = NO_PREDICTIONS,
    keep: int = 5,
) -> None:
    """Publish with the verdict that the gate would give now."""
    verdict = passed_verdict(manifest, current_version(store, manifest.feature_set))
    publish(store, folder, manifest, verdict, predictions, minimum_roc_auc=0.6, keep=keep)


def test_what_is_published_is_what_the_app_loads(store: Store, tmp_path: Path):
    (version,) = release_many(store, tmp_path / "made", 1)
    scorer = load_latest(store, "application", tmp_path / "cache")
    assert scorer.bundle.manifest.version == version
    predictions = read_holdout_predictions(store, "application", version)
    assert predictions == HoldoutPredictions(out_of_time={7: 0.5})


def test_releases_are_listed_newest_first_and_the_current_one_is_marked(store: Store, tmp_path):
    versions = release_many(store, tmp_path, 3)
    assert [release.version for release in releases(store, "application")] == versions[::-1]
    assert [release.current for release in releases(store, "application")] == [True, False, False]
    assert releases(store, "behavioural") == []


def test_only_the_last_few_are_kept_with_their_holdout_predictions(store: Store, tmp_path: Path):
    versions = release_many(store, tmp_path, 4, keep=2)
    assert [release.version for release in releases(store, "application")] == versions[:1:-1]
    left = [key for key in store.list("") if versions[0] in key and "audit/" not in key]
    assert left == []


def test_rolling_back_makes_the_one_before_the_latest(store: Store, tmp_path: Path):
    versions = release_many(store, tmp_path, 3)
    assert roll_back(store, "application", by="Jana").version == versions[1]
    assert roll_back(store, "application", by="Jana").version == versions[0]
    with pytest.raises(ReleaseRefused, match="none is older"):
        roll_back(store, "application", by="Jana")
    assert roll_back(store, "application", versions[2], by="Jana").version == versions[2]
    assert current_version(store, "application") == versions[2]


def test_the_current_release_outlives_pruning_after_a_roll_back(store: Store, tmp_path: Path):
    versions = release_many(store, tmp_path, 3)
    roll_back(store, "application", versions[0], by="Jana")
    prune(store, "application", keep=1)
    assert [release.version for release in releases(store, "application")] == [
        versions[2],
        versions[0],
    ]
    assert current_version(store, "application") == versions[0]


def test_rolling_back_to_what_is_not_kept_is_refused_with_what_is(store: Store, tmp_path: Path):
    (version,) = release_many(store, tmp_path, 1)
    with pytest.raises(ReleaseRefused, match=f"20200101 is not kept; kept are {version}"):
        roll_back(store, "application", "20200101", by="Jana")
    with pytest.raises(ReleaseRefused, match="no behavioural model was released"):
        roll_back(store, "behavioural", by="Jana")


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
        _publish(store, folder, manifest)
    assert current_version(store, "application") == versions[0]
    assert load_latest(store, "application", tmp_path / "cache").bundle.manifest.as_of > date.min


def test_loans_of_another_bank_are_not_the_same_loans(store: Store, tmp_path: Path):
    (version,) = release_many(store, tmp_path, 1)
    manifest = releases(store, "application")[0].manifest
    predictions = HoldoutPredictions(out_of_time={7: 0.5}, bank="bank A")
    _publish(store, tmp_path / version, manifest, predictions)
    same = released_champion(store, "application", "bank A")
    other = released_champion(store, "application", "bank B")
    assert same is not None
    assert other is not None
    assert same.out_of_time == {7: 0.5}
    assert other.out_of_time == {}


@pytest.fixture
def candidate(store: Store, tmp_path: Path) -> tuple[Path, BundleManifest]:
    """A bundle that may replace the one release."""
    release_many(store, tmp_path / "first", 1)
    folder = tmp_path / "candidate"
    return folder, write_bundle(folder, "application", version="20270101T000000Z-00000000")


def test_a_candidate_that_did_not_pass_is_refused_in_the_checks_own_words(store, candidate):
    folder, manifest = candidate
    before = current_version(store, "application")
    failed = (Check(name="roc_auc", passed=False, says="ROC AUC 0.512, at least 0.9 is needed"),)
    verdict = passed_verdict(manifest, before, checks=failed)
    with pytest.raises(ReleaseRefused, match=r"«roc_auc»: ROC AUC 0\.512, at least 0\.9"):
        publish(store, folder, manifest, verdict, NO_PREDICTIONS, minimum_roc_auc=0.6, keep=5)
    assert current_version(store, "application") == before
    assert not store.exists(f"releases/application/{manifest.version}/model.onnx")


@pytest.mark.parametrize("field", ["predictor_id", "metrics_id", "snapshot_id", "loan_features_id"])
def test_a_verdict_on_another_candidate_is_refused_and_both_are_named(store, candidate, field):
    folder, manifest = candidate
    verdict = passed_verdict(manifest, current_version(store, "application"), **{field: "other"})
    with pytest.raises(RecordsDiffer, match="other") as refused:
        publish(store, folder, manifest, verdict, NO_PREDICTIONS, minimum_roc_auc=0.6, keep=5)
    assert getattr(manifest.training, field) in str(refused.value)
    assert "materialise application/verdict" in str(refused.value)


def test_a_verdict_against_a_champion_that_was_replaced_or_rolled_back_is_refused(
    store: Store, candidate, tmp_path: Path
):
    folder, manifest = candidate
    first = current_version(store, "application")
    verdict = passed_verdict(manifest, first)
    (second,) = release_many(store, tmp_path / "second", 1, first_day=2)
    for verdict_on, now in ((first, second), (second, first)):
        roll_back(store, "application", now, by="Jana")
        verdict = passed_verdict(manifest, verdict_on)
        with pytest.raises(ReleaseRefused, match=f"with release {verdict_on}.* one is {now}"):
            publish(store, folder, manifest, verdict, NO_PREDICTIONS, minimum_roc_auc=0.6, keep=5)


def test_a_verdict_under_another_minimum_is_refused(store: Store, candidate):
    folder, manifest = candidate
    verdict = passed_verdict(manifest, current_version(store, "application"))
    with pytest.raises(ReleaseRefused, match=r"LOAN_MINIMUM_ROC_AUC=0\.6, .* is 0\.9 now"):
        publish(store, folder, manifest, verdict, NO_PREDICTIONS, minimum_roc_auc=0.9, keep=5)


def test_a_release_of_another_format_can_be_replaced_and_is_not_listed(store, candidate):
    folder, manifest = candidate
    old = current_version(store, "application")
    key = f"releases/application/{old}/manifest.json"
    store.write(key, store.read(key).replace(b'"format":2', b'"format":1'))
    assert releases(store, "application") == []
    champion = released_champion(store, "application")
    assert champion is not None
    assert champion.version == old
    _publish(store, folder, manifest)
    assert current_version(store, "application") == manifest.version
