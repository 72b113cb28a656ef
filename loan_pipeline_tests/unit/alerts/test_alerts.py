"""One digest of many alerts; conditions of the lake as it stands."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loan_pipeline.alerts.alert import Alert, digest
from loan_pipeline.alerts.conditions import conditions
from loan_pipeline.contracts.shipped_predictions import packed_rows, shipped_key
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline_tests.helpers.bundles import release_bundle
from loan_pipeline_tests.helpers.prediction_rows import prediction_row

VERSION = "20261122T120000Z-00000001"
WEEK = timedelta(days=8)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "lake")


def answer(store: FolderStore, at: datetime, version: str) -> None:
    row = prediction_row(answered_at=at.isoformat(), model_version=version)
    store.write(shipped_key(row["answered_at"], row["prediction_id"]), packed_rows([row]))


def test_a_digest_counts_and_puts_the_gravest_first() -> None:
    alerts = [Alert("check warned", f"check {n}", "index 0.12") for n in range(14)]
    alerts.append(
        Alert("run failed", "retraining", "The step «snapshot» failed.", "http://x/runs/1")
    )
    message = digest(alerts)
    assert message.title == "Loan pipeline: run failed, check warned (14)"
    assert message.body.startswith("Run failed: retraining\nThe step «snapshot» failed.\nhttp://x")
    assert message.body.count("Check warned: check") == 10
    assert message.body.endswith("and 4 more: check warned")


def test_an_empty_lake_has_no_condition(store: FolderStore) -> None:
    assert conditions(store, datetime.now(UTC), WEEK) == {}


def test_a_snapshot_is_stale_after_its_time(store: FolderStore) -> None:
    made = datetime(2026, 11, 1, tzinfo=UTC)
    pointer = {"snapshot_id": "snapshot-1", "created_at": made.isoformat()}
    store.write("snapshots/latest.json", json.dumps(pointer).encode())
    assert conditions(store, made + WEEK, WEEK) == {}
    (alert,) = conditions(store, made + timedelta(days=9), WEEK).values()
    assert (alert.kind, alert.subject) == ("snapshot stale", "snapshot-1")
    assert "9.0 days" in alert.text


def test_only_the_current_release_can_be_stale(store: FolderStore) -> None:
    release_bundle(store.root, "behavioural", version="20261101T120000Z-00000001")
    release_bundle(store.root, "behavioural", version=VERSION)
    made = datetime(2026, 11, 22, 12, tzinfo=UTC)
    found = conditions(store, made + timedelta(days=365), WEEK)
    assert list(found) == [f"stale behavioural {VERSION}"]


def test_an_app_on_another_release_is_noticed_after_it_had_time_to_follow(
    store: FolderStore,
) -> None:
    release_bundle(store.root, "behavioural", version=VERSION)
    now = datetime.now(UTC)
    answer(store, now, "20261101T120000Z-00000001")
    assert conditions(store, now, timedelta(days=9999)) == {}, "the release is a moment old"
    later = now + timedelta(minutes=30)
    answer(store, later - timedelta(minutes=1), VERSION)
    assert conditions(store, later, timedelta(days=9999)) == {}
    answer(store, later - timedelta(minutes=2), "20261101T120000Z-00000001")
    answer(store, later - timedelta(minutes=1), "20261101T120000Z-00000001")
    (alert,) = conditions(store, later, timedelta(days=9999)).values()
    assert alert.kind == "app serves another release"
    assert "2 answers" in alert.text
    assert "not kept" in alert.text
    assert VERSION in alert.text
