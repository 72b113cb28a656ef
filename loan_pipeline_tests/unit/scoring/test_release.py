"""Releases fetched from a store: whole, verified, or not at all."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.lake.open import open_store
from loan_pipeline.scoring.bundle import BundleError, load_bundle
from loan_pipeline.scoring.release import NoRelease, fetch_release, latest_version
from loan_pipeline_tests.helpers.bundles import MODEL_FILE, release_bundle

NEWER = "20261123T120000Z-00000002"


@pytest.fixture
def lake(tmp_path):
    (tmp_path / "lake").mkdir()
    return tmp_path / "lake"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_without_a_release_the_message_says_what_to_run(lake, cache):
    with pytest.raises(NoRelease, match=r"no application model was released to .*`make run`"):
        fetch_release(open_store(lake.as_uri()), "application", cache)


@pytest.mark.parametrize("name", ["application", "behavioural"])
def test_the_latest_release_arrives_whole(lake, cache, name):
    release_bundle(lake, name)
    manifest = release_bundle(lake, name, version=NEWER, seed=1)
    store = open_store(lake.as_uri())
    assert latest_version(store, name) == NEWER
    folder = fetch_release(store, name, cache)
    assert folder == cache / name / NEWER
    assert load_bundle(folder).manifest == manifest
    assert names(cache / name) == [NEWER], "nothing half-fetched stays behind"


def test_a_release_in_the_cache_is_not_fetched_again(lake, cache):
    release_bundle(lake, "application")
    store = open_store(lake.as_uri())
    folder = fetch_release(store, "application", cache)
    (lake / "releases/application" / folder.name / MODEL_FILE).unlink()
    assert fetch_release(store, "application", cache) == folder


def test_a_cached_release_that_was_damaged_is_fetched_again(lake, cache):
    release_bundle(lake, "application")
    store = open_store(lake.as_uri())
    folder = fetch_release(store, "application", cache)
    (folder / MODEL_FILE).write_bytes(b"damaged")
    load_bundle(fetch_release(store, "application", cache))


def test_a_release_that_does_not_verify_leaves_the_cache_as_it_was(lake, cache):
    release_bundle(lake, "application")
    store = open_store(lake.as_uri())
    fetch_release(store, "application", cache)
    before = names(cache / "application")
    release_bundle(lake, "application", version=NEWER)
    model = lake / "releases/application" / NEWER / MODEL_FILE
    model.write_bytes(model.read_bytes()[:-10])
    with pytest.raises(BundleError, match=rf"{MODEL_FILE} has .* bytes instead of"):
        fetch_release(store, "application", cache)
    assert names(cache / "application") == before


def test_a_release_that_vanishes_while_it_is_fetched_is_refused(lake, cache):
    release_bundle(lake, "application")
    (lake / "releases/application/20261122T120000Z-00000001" / MODEL_FILE).unlink()
    with pytest.raises(LoanPipelineError, match=MODEL_FILE):
        fetch_release(open_store(lake.as_uri()), "application", cache)
    assert names(cache / "application") == []


@pytest.mark.parametrize("version", ["../../etc", "/etc", 5, None, "", "a/b"])
def test_a_pointer_that_names_no_version_is_refused(lake, cache, version):
    release_bundle(lake, "application")
    (lake / "releases/application/latest.json").write_text(json.dumps({"version": version}))
    with pytest.raises(BundleError, match="names no version"):
        fetch_release(open_store(lake.as_uri()), "application", cache)


def test_a_folder_that_describes_another_release_is_refused(lake, cache):
    release_bundle(lake, "application")
    folder = lake / "releases/application/20261122T120000Z-00000001"
    folder.rename(folder.with_name(NEWER))
    (lake / "releases/application/latest.json").write_text(json.dumps({"version": NEWER}))
    with pytest.raises(BundleError, match="describes application 20261122T120000Z-00000001"):
        fetch_release(open_store(lake.as_uri()), "application", cache)


def test_many_workers_that_fetch_at_once_all_get_it(lake, cache):
    release_bundle(lake, "behavioural")
    store = open_store(lake.as_uri())
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: fetch_release(store, "behavioural", cache), range(24)))
    assert len(set(folders)) == 1
    load_bundle(folders[0])


def test_the_cache_keeps_the_newest_versions_only(lake, cache):
    store = open_store(lake.as_uri())
    for number in range(6):
        release_bundle(lake, "application", version=f"2026112{number}T120000Z-00000001")
        fetch_release(store, "application", cache)
    assert names(cache / "application") == [f"2026112{n}T120000Z-00000001" for n in (3, 4, 5)]
