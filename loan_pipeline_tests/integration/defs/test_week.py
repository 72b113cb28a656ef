"""A week of a bank's data team, in a browser on Dagster's UI and the web app.

Started once and gone through from Monday on; the tests look at what it left. `make week` runs it:
it takes minutes, and a page that is drawn anew at the wrong moment can stop it. With
LOAN_TEST_PICTURES=FOLDER it takes the pictures of docs/operations.md on the way.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg
import httpx
import pytest

from loan_pipeline.lake.feature_tables import read_table_of_snapshot
from loan_pipeline.lake.snapshot import latest_snapshot
from loan_pipeline.monitoring.drift import FEWEST
from loan_pipeline.release.approval import approve, waiting
from loan_pipeline.release.audit import history
from loan_pipeline.release.publish import releases
from loan_pipeline_tests.helpers.alert_receivers import webhook
from loan_pipeline_tests.helpers.browser import chromium_path
from loan_pipeline_tests.helpers.office import Office, open_office, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(chromium_path() is None, reason="Chromium is not installed"),
    pytest.mark.skipif("LOAN_TEST_WEEK" not in os.environ, reason="`make week` runs it"),
]

UNUSUAL = {"amount": 590_000, "duration": 12}
FIRST_RUN = """\
ops:
  bank: {config: {source: 'sample:scale=0.5'}}
  application__predictor: {config: {recipe: quick}}
  behavioural__predictor: {config: {recipe: quick}}
"""
DECISION = """\
ops:
  decide:
    config:
      version: VERSION
      decision: approve
      by: Jana Nováková
      note: As good as the one before.
"""


@dataclass
class Week:
    """What happened.

    Attributes:
        first, second: the behavioural releases before and after the drift.
        monitored, retrained: the runs that a schedule and a sensor started.
        posted: the alerts, as the webhook got them.
    """

    office: Office
    first: str
    second: str
    monitored: dg.DagsterRun
    retrained: dg.DagsterRun
    posted: list[dict[str, Any]]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    home = tmp_path_factory.mktemp("home")
    settings = {
        "LOAN_RELEASE_APPROVAL": "manual",
        "LOAN_MINIMUM_ROC_AUC": "0.5",
        "LOAN_ROLLING_CUTS": "0",
        "LOAN_MONITORING_CRON": "* * * * *",
        "LOAN_WEB_RELEASE_CHECK_SECONDS": "0.5",
        "LOAN_WEB_SHIPPING": "before_answer",
    }
    with webhook() as (posted, url), open_office(home, **settings, LOAN_ALERT_URLS=url) as office:
        office.launch("whole_pipeline", FIRST_RUN)
        look_at_plots(office)
        first = serve_first_release(office)
        ask_for_unusual_loans(office)
        office.switch("monitoring_schedule")
        monitored = office.started_by("monitoring_schedule")
        office.picture("automation")
        office.switch("monitoring_schedule")
        office.ended(monitored.run_id)
        office.switch("retraining_needed")
        retrained = office.started_by("retraining_needed")
        look_at_drift(office)
        office.ended(retrained.run_id)
        (candidate,) = waiting(office.store, "behavioural")
        office.launch("release_decision", DECISION.replace("VERSION", candidate.version))
        follow_to_the_app(office, candidate.version)
        until(lambda: "act_limit" in str(posted), "the alert")
        yield Week(office, first, candidate.version, monitored, retrained, posted)


def look_at_plots(office: Office) -> None:
    office.show("behavioural/metrics", "Plots")
    for name in ("cross_validation_roc_auc", "out_of_time_roc_auc", "out_of_time_brier"):
        office.page.get_by_text(name, exact=True).wait_for()
    office.page.locator("canvas").first.wait_for()
    office.show("behavioural/metrics")
    row = office.page.locator("tr").filter(has=office.page.get_by_text("roc", exact=True))
    drawn = office.page.locator("img[alt=roc]")
    office.press(row.get_by_text("Show Markdown"), drawn)
    assert drawn.evaluate("image => image.naturalWidth") > 100


def serve_first_release(office: Office) -> str:
    """Approve both candidates, as the command line does, and see the app serve them."""
    assert httpx.get(f"{office.app}/readyz").status_code == 503
    for name in ("application", "behavioural"):
        (candidate,) = waiting(office.store, name)
        approve(office.store, candidate.version, by="Jana", note="", minimum_roc_auc=0.5, keep=5)
    until(lambda: httpx.get(f"{office.app}/readyz").is_success, "the app to serve the release")
    return candidate.version


def ask_for_unusual_loans(office: Office) -> None:
    snapshot_id = latest_snapshot(office.store).snapshot_id
    loans = read_table_of_snapshot(office.store, "loan_features", snapshot_id)
    assert loans is not None
    accounts = [int(account) for account in loans["account_id"].head(2 * FEWEST)]
    office.ask([{"account_id": account} | UNUSUAL for account in accounts])
    one = {"account_id": accounts[0]} | UNUSUAL
    assert httpx.post(f"{office.app}/api/v1/predictions", json=one).is_success


def look_at_drift(office: Office) -> None:
    office.show("monitoring/drift")
    row = office.page.locator("tr").filter(has_text="behavioural_last_7_days")
    drawn = office.page.locator("img[alt=behavioural]")
    office.press(row.get_by_text("Show Markdown"), drawn)
    office.picture("drift")


def follow_to_the_app(office: Office, version: str) -> None:
    """From the release in Dagster's UI to its page in the app, which serves the new one."""
    office.show("behavioural/metrics", "Plots")
    office.picture("plots")
    office.show("behavioural/release")
    link = office.page.get_by_role("link", name=f"{office.app}/model#behavioural").first
    link.wait_for()
    office.picture("release")
    office.page.goto(link.get_attribute("href") or "")
    until(lambda: version in _reloaded(office), f"the app to serve {version}")
    office.page.get_by_text("Jana Nováková").first.wait_for()


def _reloaded(office: Office) -> str:
    office.page.reload()
    return office.page.locator("#behavioural").inner_text()


def test_drift_started_one_retraining_and_a_person_released_it(week: Week) -> None:
    assert week.second > week.first
    kept = {one.version: one.current for one in releases(week.office.store, "behavioural")}
    assert kept == {week.first: False, week.second: True}
    assert "drift of behavioural: " in week.retrained.tags["loan_pipeline/because"]
    assert week.office.metadata("behavioural/release")["state"].value == "released"
    (approved,) = history(week.office.store, version=week.second)[1:2]
    assert (approved.event, approved.by) == ("approved", "Jana Nováková")


def test_it_trained_as_the_release_before_and_kept_the_bank(week: Week) -> None:
    assert week.office.metadata("behavioural/predictor")["recipe"].value == "quick"
    first, second = sorted(
        releases(week.office.store, "behavioural"), key=lambda release: release.version
    )
    assert first.manifest.training.n_train == second.manifest.training.n_train


def test_the_alert_names_the_check_and_links_to_the_run(week: Week) -> None:
    messages = "\n".join(one["message"] for one in week.posted)
    assert "Check failed: act_limit of monitoring/drift" in messages
    assert f"{week.office.dagster}/runs/{week.monitored.run_id}" in messages
