"""What Dagster starts by what it sees: retraining on drift or an unused snapshot, and alerts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from loan_pipeline.contracts.bundle import BundleManifest
from loan_pipeline.contracts.shipped_predictions import packed_rows, shipped_key
from loan_pipeline.definitions import build_defs
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.defs.monitoring import DriftRecord
from loan_pipeline.defs.resources import build_resources
from loan_pipeline.defs.sensors import exported_by_others
from loan_pipeline.evaluation.validation import BASELINE
from loan_pipeline.lake.direct import export_direct
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.settings import Settings
from loan_pipeline_tests.helpers.alert_receivers import mailbox, webhook
from loan_pipeline_tests.helpers.answers import answers, baseline
from loan_pipeline_tests.helpers.arrow_bank import random_bank
from loan_pipeline_tests.helpers.bundles import passed_verdict, release_bundle
from loan_pipeline_tests.helpers.rds_stand_in import write_export

BEHAVIOURAL, APPLICATION = "20261122T120000Z-00000001", "20261122T120000Z-00000002"
LONG_AGO = json.dumps({"until": datetime(2020, 1, 1, tzinfo=UTC).isoformat()})
YEARS = 36_500  # days


class Office:
    """A lake with a release of both feature sets, and a Dagster instance."""

    def __init__(self, home: Path, instance: dg.DagsterInstance) -> None:
        self.settings, self.instance = Settings(home=home, fresh_days=YEARS), instance
        self.store = FolderStore(home / "lake")
        release_bundle(self.store.root, "behavioural", version=BEHAVIOURAL)
        release_bundle(self.store.root, "application", version=APPLICATION)

    def run(
        self, job: str, assets: list[str] | None = None, **tags: str
    ) -> dg.ExecuteInProcessResult:
        keys = [dg.AssetKey.from_user_string(asset) for asset in assets] if assets else None
        return (
            build_defs(self.settings)
            .resolve_job_def(job)
            .execute_in_process(
                instance=self.instance, raise_on_error=False, asset_selection=keys, tags=tags
            )
        )

    def tick(self, sensor: str, cursor: str | None = None, **settings: Any) -> Any:
        changed = self.settings.model_copy(update=settings)
        repository = build_defs(changed).get_repository_def()
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=cursor,
            repository_def=repository,
            resources=build_resources(changed),
        ) as context:
            return repository.get_sensor_def(sensor).evaluate_tick(context)

    def drifted(self, **acted_on: list[str]) -> None:
        """Have the last look at drift found this."""
        record = DriftRecord(
            measured_at=datetime(2026, 11, 25, tzinfo=UTC),
            acted_on=acted_on,
            versions={"behavioural": BEHAVIOURAL, "application": APPLICATION},
        )
        self.store.write("assets/monitoring/drift.json", record.model_dump_json().encode())

    def judged(self, snapshot_id: str) -> None:
        """Have the gate judged candidates of this snapshot."""
        for name, version in (("behavioural", BEHAVIOURAL), ("application", APPLICATION)):
            text = self.store.read(f"releases/{name}/{version}/manifest.json")
            verdict = passed_verdict(BundleManifest.model_validate_json(text), None)
            changed = verdict.model_copy(update={"snapshot_id": snapshot_id})
            self.store.write(f"assets/{name}/verdict.json", changed.model_dump_json().encode())

    def unusual_answers(self) -> None:
        """Have the app answered requests unlike the loans that the release learned from."""
        today = datetime.now(UTC).date().isoformat()
        rows = answers(200, start=today, days=1, shift=3.0, model_version=BEHAVIOURAL)
        rows["answered_at"] = datetime.now(UTC).isoformat()
        records = json.loads(rows.to_json(orient="records"))
        key = shipped_key(records[0]["answered_at"], "1")
        self.store.write(key, packed_rows(records))
        report = {BASELINE: baseline().model_dump()}
        place = f"releases/behavioural/{BEHAVIOURAL}/metrics.json"
        self.store.write(place, json.dumps(report).encode())


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Office(tmp_path / "home", instance)


@contextmanager
def receivers() -> Iterator[tuple[list[str], list[dict[str, Any]], tuple[SecretStr, ...]]]:
    """Letters, posts, and the addresses that make them."""
    with mailbox() as (box, address), webhook() as (posted, url):
        yield box.messages, posted, (SecretStr(address), SecretStr(url))


def requests_of(data: Any) -> list[dg.RunRequest]:
    return list(data.run_requests or ())


def test_drift_asks_for_one_retraining_and_says_why(office: Office) -> None:
    assert requests_of(office.tick("retraining_needed")) == []
    office.drifted(behavioural=["amount", "score"])
    (request,) = requests_of(office.tick("retraining_needed"))
    assert request.job_name == "retraining"
    assert request.run_config["ops"]["behavioural__predictor"]["config"] == {"as_released": True}
    assert BEHAVIOURAL in str(request.run_key)
    assert request.tags["loan_pipeline/started_by"] == "retraining_needed"
    assert request.tags["loan_pipeline/because"] == "drift of behavioural: amount, score"
    (again,) = requests_of(office.tick("retraining_needed"))
    assert again.run_key == request.run_key, "Dagster starts a run once for each key"


def test_drift_away_from_a_release_that_was_replaced_asks_for_nothing(office: Office) -> None:
    office.drifted(behavioural=["amount"])
    release_bundle(office.store.root, "behavioural", version="20261123T120000Z-00000003")
    assert requests_of(office.tick("retraining_needed")) == []


@pytest.mark.parametrize("job", ["retraining", "training"])
def test_one_retraining_at_a_time(office: Office, job: str) -> None:
    office.drifted(behavioural=["amount"])
    definition = build_defs(office.settings).resolve_job_def(job)
    office.instance.create_run_for_job(definition, status=dg.DagsterRunStatus.STARTED)
    data = office.tick("retraining_needed")
    assert requests_of(data) == []
    assert "under way" in data.skip_message


def test_a_snapshot_that_no_candidate_was_judged_on_asks_for_training(office: Office) -> None:
    manifest = {
        "snapshot_id": "snapshot-2",
        "created_at": "2026-11-25T00:00:00Z",
        "exporter": "direct",
        "bank": "a bank",
        "as_of": "1999-01-01",
        "tables": {},
    }
    office.store.write("snapshots/snapshot-2/manifest.json", json.dumps(manifest).encode())
    office.store.write("snapshots/latest.json", json.dumps(manifest).encode())
    assert requests_of(office.tick("retraining_needed")) == [], "nothing was trained yet"
    office.judged("snapshot-1")
    (request,) = requests_of(office.tick("retraining_needed"))
    assert (request.job_name, request.run_key) == ("training", "snapshot snapshot-2")
    office.judged("snapshot-2")
    assert requests_of(office.tick("retraining_needed")) == []


@pytest.mark.slow
def test_failed_runs_and_checks_arrive_as_one_digest_by_mail_and_webhook(office: Office) -> None:
    office.unusual_answers()
    assert office.run("monitoring", ["monitoring/drift"]).success, "a failed check fails no run"
    failed = office.run("portfolio", **{"loan_pipeline/started_by": "a schedule"})
    retried = office.run("portfolio", **{"dagster/will_retry": "true"})
    assert not failed.success
    assert not retried.success
    with receivers() as (letters, posted, urls):
        options = {"alert_urls": urls, "dagster_url": "http://dagster.example/"}
        data = office.tick("alerts", LONG_AGO, **options)
        assert "sent a digest of 3 alerts" in data.skip_message
        (letter,), message = letters, posted[0]["message"]
        assert "Subject: Loan pipeline: run failed" in letter
        assert message.count("Run failed") == 1, "what is retried is not reported"
        assert "started by a schedule, failed at portfolio/scores (RecordMissing)" in message
        assert f"http://dagster.example/runs/{failed.run_id}" in message
        assert "Check failed: act_limit of monitoring/drift" in message
        assert "Check warned: watch_limit of monitoring/drift" in message
        assert "balance_mean_czk" not in message, "a check's own text stays in the UI"
        assert str(office.settings.home) not in message, "and so does an error's"
        assert "nothing to report" in office.tick("alerts", data.cursor, **options).skip_message
        assert len(posted) == 1


@pytest.mark.slow
def test_stale_records_are_reported_once_and_again_when_they_are_well(office: Office) -> None:
    with receivers() as (_, posted, urls):
        stale = office.tick("alerts", None, alert_urls=urls, fresh_days=0.001)
        assert posted[0]["message"].count("Release stale") == 2
        same = office.tick("alerts", stale.cursor, alert_urls=urls, fresh_days=0.001)
        assert len(posted) == 1
        office.tick("alerts", same.cursor, alert_urls=urls)
        assert posted[1]["message"].count("Resolved: release stale") == 2


@pytest.mark.slow
def test_a_digest_that_cannot_be_sent_is_sent_by_the_next_tick(office: Office) -> None:
    with webhook(status=500) as (_, broken), pytest.raises(Exception, match="did not take it"):
        office.tick("alerts", None, alert_urls=(SecretStr(broken),), fresh_days=0.001)
    with webhook() as (posted, url):
        office.tick("alerts", None, alert_urls=(SecretStr(url),), fresh_days=0.001)
        assert len(posted) == 1


def test_without_an_address_nothing_is_sent_and_the_tick_says_so(office: Office) -> None:
    data = office.tick("alerts", None, fresh_days=0.001)
    assert "LOAN_ALERT_URLS names no address" in data.skip_message


def test_runs_of_before_the_sensor_was_switched_on_are_no_news(office: Office) -> None:
    office.run("portfolio")
    later = json.dumps({"until": (datetime.now(UTC) + timedelta(hours=1)).isoformat()})
    assert "nothing to report" in office.tick("alerts", later).skip_message


def test_an_export_by_others_asks_for_one_retraining(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    bank = random_bank(transactions=50)

    def asked() -> list[dg.RunRequest]:
        context = dg.build_sensor_context(resources={"lake": LakeResource(url=tmp_path.as_uri())})
        data = exported_by_others.evaluate_tick(context)
        return list(data.run_requests or [])

    assert asked() == []
    export_direct(bank, store, source=None)
    write_export(
        bank, lambda key, data: store.write(f"snapshots/nightly-7/{key}", data), "nightly-7"
    )
    [request] = asked()
    assert request.run_key == "nightly-7"
    assert request.run_config["ops"]["snapshot"]["config"] == {"adopt": "nightly-7"}
