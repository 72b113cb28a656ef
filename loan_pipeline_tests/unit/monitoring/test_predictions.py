"""The shipped logs are read as one table, each row once."""

import gzip
from datetime import date
from pathlib import Path

import pytest

from loan_pipeline.contracts.shipped_predictions import packed_rows, shipped_key
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.monitoring.errors import MonitoringError
from loan_pipeline.monitoring.predictions import numbers_of, read_predictions
from loan_pipeline_tests.helpers.lake_folders import BY_APPS, BY_RUNS
from loan_pipeline_tests.helpers.prediction_rows import prediction_row

TODAY = date(2026, 11, 26)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "lake")


def ship(store: FolderStore, *rows: dict[str, object]) -> str:
    key = shipped_key(str(rows[0]["answered_at"]), str(rows[0]["prediction_id"]))
    store.write(key, packed_rows(rows))
    return key


def row(day: str, name: str, **changes: object) -> dict[str, object]:
    return prediction_row(answered_at=f"{day}T12:00:00.000+00:00", prediction_id=name, **changes)


def test_rows_come_oldest_first_and_once(store: FolderStore) -> None:
    ship(store, row("2026-11-25", "b"), row("2026-11-25", "c"))
    ship(store, row("2026-11-24", "a"))
    ship(store, row("2026-11-25", "c"))  # the same row in another object
    found = read_predictions(store, date(2026, 11, 1), TODAY)
    assert found["prediction_id"].tolist() == ["a", "b", "c"]
    assert found["answered_at"].dt.day.tolist() == [24, 25, 25]
    assert found["probability_paid_off"].tolist() == [0.9] * 3


def test_days_before_the_first_one_are_left_out(store: FolderStore) -> None:
    ship(store, row("2026-11-10", "a"))
    assert read_predictions(store, date(2026, 11, 11), TODAY).empty


def test_a_finished_day_is_read_from_one_file_and_takes_up_late_objects(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ship(store, row("2026-11-20", "a"))
    before = read_predictions(store, date(2026, 11, 1), TODAY)
    assert set(store.folders()) - BY_APPS <= BY_RUNS
    read: list[str] = []
    original = store.read

    def counted(key: str) -> bytes:
        read.append(key)
        return original(key)

    monkeypatch.setattr(store, "read", counted)
    again = read_predictions(store, date(2026, 11, 1), TODAY)
    assert again.equals(before)
    assert first not in read
    late = ship(store, row("2026-11-20", "b"))
    assert len(read_predictions(store, date(2026, 11, 1), TODAY)) == 2
    assert first not in read
    assert late in read


@pytest.mark.parametrize(
    "data", [b"no gzip", gzip.compress(b"{", mtime=0), gzip.compress(b'{"a": 1}\n', mtime=0)]
)
def test_an_object_that_no_app_wrote_is_named(store: FolderStore, data: bytes) -> None:
    store.write("predictions/2026-11-25/foreign.jsonl.gz", data)
    with pytest.raises(MonitoringError, match="2026-11-25/foreign"):
        read_predictions(store, date(2026, 11, 1), TODAY)


def test_an_empty_lake_has_no_rows(store: FolderStore) -> None:
    assert read_predictions(store, date(2026, 11, 1), TODAY).empty


def test_features_become_numbers_by_name(store: FolderStore) -> None:
    ship(store, row("2026-11-25", "a", features={"amount": 5.0, "duration": None}))
    found = numbers_of(read_predictions(store, date(2026, 11, 1), TODAY)["features"])
    assert found["amount"].tolist() == [5.0]
    assert found["duration"].isna().all()
