"""The store in a folder and on an S3 server: the same tests for both."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.protocol import (
    Store,
    StoreConflict,
    StoreDenied,
    StoreError,
    StoreKeyMissing,
)
from loan_pipeline.lake.s3_store import S3Store


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store((tmp_path / "a lake").as_uri())
    return open_store(request.getfixturevalue("s3_url"))


def test_what_was_written_is_read_back_and_replaced(store: Store) -> None:
    store.write("a/b.json", b"first")
    store.write("a/b.json", b"second")
    assert store.read("a/b.json") == b"second"
    assert store.exists("a/b.json")
    assert not store.exists("a")
    assert not store.exists("a/b")


def test_the_time_of_storing_is_known(store: Store) -> None:
    store.write("a", b"1")
    assert abs((store.modified("a") - datetime.now(UTC)).total_seconds()) < 60
    with pytest.raises(StoreKeyMissing):
        store.modified("b")


def test_a_missing_key_is_named(store: Store) -> None:
    with pytest.raises(StoreKeyMissing, match="a/b") as caught:
        store.read("a/b")
    assert caught.value.key == "a/b"
    store.write("a/b", b"")
    with pytest.raises(StoreKeyMissing):
        store.read("a")
    with pytest.raises(StoreKeyMissing):
        store.read("a/b/c")


def test_prefixes_are_folders(store: Store) -> None:
    for key in ("top", "a/x", "a/b/y", "ab/z"):
        store.write(key, key.encode())
    assert store.list() == ["a/b/y", "a/x", "ab/z", "top"]
    assert store.list("a") == ["a/b/y", "a/x"]
    assert store.sizes("a") == {"a/b/y": 5, "a/x": 3}
    assert store.folders() == ["a", "ab"]
    assert store.folders("a") == ["b"]
    assert store.list("none") == []
    assert store.folders("none") == []


def test_deleting_a_folder_leaves_its_neighbours(store: Store) -> None:
    for key in ("a/x", "a/b/y", "ab/z", "a.json"):
        store.write(key, b"1")
    store.delete("a")
    assert store.list() == ["a.json", "ab/z"]
    store.delete("ab/z")
    store.delete("none")
    assert store.list() == ["a.json"]


def test_s3_is_listed_and_emptied_beyond_a_thousand_keys(s3_url: str) -> None:
    store = open_store(s3_url)
    assert isinstance(store, S3Store)
    behind_the_server = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for number in range(1004):
        behind_the_server.put_object(store.bucket, store.full_key(f"many/{number}"), b"")
    assert len(store.list("many")) == 1004
    store.delete("many")
    assert store.list() == []


def test_files_are_uploaded_and_downloaded(store: Store, tmp_path: Path) -> None:
    here = tmp_path / "here.bin"
    here.write_bytes(bytes(range(256)) * 100)
    store.upload(here, "models/there.bin")
    store.download("models/there.bin", tmp_path / "new" / "back.bin")
    assert (tmp_path / "new" / "back.bin").read_bytes() == here.read_bytes()


def test_a_failed_download_leaves_the_file_as_it_was(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "model.bin"
    target.write_bytes(b"good")
    with pytest.raises(StoreKeyMissing, match="models/none"):
        store.download("models/none", target)
    assert target.read_bytes() == b"good"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["model.bin"]


def test_a_pointer_is_set_once_and_replaced_by_who_read_it_last(store: Store) -> None:
    assert store.read_pointer("latest.json") is None
    first = store.replace_pointer("latest.json", {"id": "1"}, None)
    assert store.read_pointer("latest.json") == first
    second = store.replace_pointer("latest.json", {"id": "2"}, first.token)
    with pytest.raises(StoreConflict, match=r"latest\.json"):
        store.replace_pointer("latest.json", {"id": "3"}, first.token)
    with pytest.raises(StoreConflict):
        store.replace_pointer("latest.json", {"id": "3"}, None)
    with pytest.raises(StoreConflict):
        store.replace_pointer("other.json", {"id": "3"}, first.token)
    assert store.read_pointer("latest.json") == second


def test_of_many_who_replace_a_pointer_at_once_one_wins_each_round(store: Store) -> None:
    wins: list[int] = []
    start = threading.Barrier(6)

    def race(number: int) -> None:
        start.wait()
        for _ in range(5):
            while True:
                current = store.read_pointer("latest.json")
                value = {"count": (current.value["count"] if current else 0) + 1, "by": number}
                try:
                    store.replace_pointer("latest.json", value, current.token if current else None)
                except StoreConflict:
                    continue
                wins.append(value["count"])
                break

    threads = [threading.Thread(target=race, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == list(range(1, 31))


def test_a_key_cannot_lead_out_of_the_store(store: Store) -> None:
    actions = (store.read, store.exists, store.list, store.delete, store.read_pointer)
    for key in ("../out", "/etc/passwd", "a/../b", "a//b", "a/", "./a", ".", "a/.b"):
        for action in actions:
            with pytest.raises(StoreError, match="is no key"):
                action(key)
        with pytest.raises(StoreError, match="is no key"):
            store.write(key, b"")


def test_the_whole_store_is_never_deleted(store: Store) -> None:
    store.write("a", b"1")
    with pytest.raises(StoreError):
        store.delete("")
    assert store.list() == ["a"]


@pytest.mark.parametrize(
    "url", ["", "/tmp/x", "http://host/x", "s3://", "file://host/x", "file://"]
)
def test_only_folders_and_s3_are_stores(url: str) -> None:
    with pytest.raises(StoreError, match="use file:///folder or s3://bucket/prefix"):
        open_store(url)


def test_an_interrupted_write_leaves_nothing_to_see(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / ".latest.json.4711").write_bytes(b'{"snapsh')
    assert store.list() == []
    assert store.read_pointer("snapshots/latest.json") is None


@pytest.mark.usefixtures("aws_environment")
def test_a_bucket_that_is_not_there_is_named() -> None:
    with pytest.raises(StoreError, match="bucket no-such-bucket does not exist"):
        open_store("s3://no-such-bucket/lake").write("a", b"")


def test_a_pointer_that_is_no_json_is_named(store: Store) -> None:
    store.write("latest.json", b"{")
    with pytest.raises(StoreError, match=r"latest\.json"):
        store.read_pointer("latest.json")


def test_no_secret_is_in_any_text_about_the_store(s3_url: str) -> None:
    store = open_store(s3_url)
    with pytest.raises(StoreKeyMissing) as caught:
        store.read("none")
    assert "testing-secret" not in f"{store!r} {store.url} {caught.value}"


def test_a_folder_that_may_not_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "lake"))

    monkeypatch.setattr(Path, "mkdir", refused)  # root, who may run the tests, is never refused
    with pytest.raises(StoreDenied, match=r"lake.*give this user read and write access"):
        open_store((tmp_path / "lake").as_uri()).write("a", b"")


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    occupied = tmp_path / "occupied"
    occupied.write_text("not a folder")
    for place in (occupied, occupied / "below"):
        with pytest.raises(StoreError, match="occupied is a file where a folder is needed"):
            open_store(place.as_uri())
