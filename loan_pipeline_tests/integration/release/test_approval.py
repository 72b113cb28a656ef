"""Candidates wait for a person; the audit trail keeps who decided, why, and on which verdict."""

import json
import os
import re
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from loan_pipeline.cli import main
from loan_pipeline.contracts.bundle import BundleManifest
from loan_pipeline.contracts.verdict import Check
from loan_pipeline.definitions import build_defs
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.lake.protocol import StoreKeyMissing
from loan_pipeline.release.approval import approve, keep_waiting, reject, waiting
from loan_pipeline.release.audit import history
from loan_pipeline.release.dossier import dossier
from loan_pipeline.release.publish import (
    HoldoutPredictions,
    current_version,
    publish,
    read_holdout_predictions,
    roll_back,
)
from loan_pipeline.scoring.release import NoRelease, load_latest
from loan_pipeline.settings import Settings
from loan_pipeline.training.errors import ReleaseRefused
from loan_pipeline_tests.helpers.bundles import passed_verdict, write_bundle
from loan_pipeline_tests.helpers.lake_folders import BY_RUNS

PREDICTIONS = HoldoutPredictions(out_of_time={7: 0.5})
FIRST, SECOND = "20260101T000000Z-00000001", "20260102T000000Z-00000002"
RELEASE = dg.AssetKey(["application", "release"])
RULES = {"minimum_roc_auc": 0.6}
JANA = {"by": "Jana Nováková", "note": "Figures and fairness are as last time."}

KeepWaiting = Callable[..., BundleManifest]


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "lake")


@pytest.fixture
def keep_one(store: FolderStore, tmp_path: Path) -> KeepWaiting:
    """Have a candidate wait that passed the gate against the current release."""

    def keep(version: str, **changes: object) -> BundleManifest:
        manifest = write_bundle(tmp_path / version, "application", version=version)
        verdict = passed_verdict(manifest, current_version(store, "application"))
        verdict = verdict.model_copy(update=changes)
        keep_waiting(
            store, tmp_path / version, manifest, verdict, PREDICTIONS, **RULES, by="a schedule"
        )
        return manifest

    return keep


def events(store: FolderStore) -> list[tuple[str, str, str]]:
    return [(one.event, one.version, one.by) for one in history(store)]


def test_a_candidate_waits_and_no_app_sees_it(store: FolderStore, keep_one, tmp_path: Path) -> None:
    keep_one(FIRST)
    assert [one.version for one in waiting(store, "application")] == [FIRST]
    assert set(store.folders()) <= BY_RUNS
    assert current_version(store, "application") is None
    with pytest.raises(NoRelease):
        load_latest(store, "application", tmp_path / "cache")
    assert events(store) == [("waiting", FIRST, "a schedule")]


def test_an_approved_candidate_is_what_the_app_loads(
    store: FolderStore, keep_one, tmp_path: Path
) -> None:
    keep_one(FIRST)
    approve(store, FIRST, **JANA, **RULES, keep=5)
    assert load_latest(store, "application", tmp_path / "cache").manifest.version == FIRST
    assert read_holdout_predictions(store, "application", FIRST) == PREDICTIONS
    assert waiting(store, "application") == []
    assert [event for event, _, _ in events(store)] == ["waiting", "approved", "released"]
    approved = history(store, version=FIRST)[1]
    assert (approved.by, approved.note) == (JANA["by"], JANA["note"])
    assert approved.verdict is not None
    assert all(text.startswith("passed") for text in approved.verdict.rules.values())
    kept = json.loads(store.read(f"releases/application/{FIRST}/approval.json"))
    assert kept["by"] == JANA["by"]


def test_a_rejected_candidate_is_gone_and_its_reason_stays(store: FolderStore, keep_one) -> None:
    keep_one(FIRST)
    reject(store, FIRST, by="Jana", note="Prague is served worse.")
    assert waiting(store, "application") == []
    assert current_version(store, "application") is None
    assert history(store)[-1].note == "Prague is served worse."
    with pytest.raises(ReleaseRefused, match="no candidate"):
        approve(store, FIRST, **JANA, **RULES, keep=5)


def test_a_newer_candidate_waits_in_place_of_the_older_one(store: FolderStore, keep_one) -> None:
    keep_one(FIRST)
    keep_one(SECOND)
    assert [one.version for one in waiting(store, "application")] == [SECOND]
    assert ("superseded", FIRST, "a schedule") in events(store)


def test_a_candidate_that_was_compared_with_another_release_is_not_approved(
    store: FolderStore, keep_one, tmp_path: Path
) -> None:
    keep_one(SECOND)
    manifest = write_bundle(tmp_path / "other", "application", version=FIRST)
    verdict = passed_verdict(manifest, None)
    publish(store, tmp_path / "other", manifest, verdict, PREDICTIONS, **RULES, keep=5)
    with pytest.raises(ReleaseRefused, match="compared with release none"):
        approve(store, SECOND, **JANA, **RULES, keep=5)
    assert current_version(store, "application") == FIRST
    assert [one.version for one in waiting(store, "application")] == [SECOND]
    assert "approved" not in {event for event, _, _ in events(store)}


def test_a_candidate_that_failed_the_gate_never_waits(store: FolderStore, keep_one) -> None:
    failed = Check(name="roc_auc", passed=False, says="0.51 is too low")
    with pytest.raises(ReleaseRefused, match=r"0\.51 is too low"):
        keep_one(FIRST, checks=(failed,))
    assert waiting(store, "application") == []


def test_a_decision_has_a_name(store: FolderStore, keep_one) -> None:
    keep_one(FIRST)
    with pytest.raises(ReleaseRefused, match="needs the name"):
        approve(store, FIRST, by=" ", note="x", **RULES, keep=5)


def test_an_approval_that_the_store_interrupts_can_be_given_again(
    store: FolderStore, keep_one, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_one(FIRST)
    with monkeypatch.context() as patch:

        def broken(*_: object) -> None:
            raise StoreKeyMissing("x", "the store went away")

        patch.setattr(store, "replace_pointer", broken)
        with pytest.raises(StoreKeyMissing):
            approve(store, FIRST, **JANA, **RULES, keep=5)
    assert current_version(store, "application") is None
    approve(store, FIRST, **JANA, **RULES, keep=5)
    assert current_version(store, "application") == FIRST


def test_the_trail_is_only_added_to_and_names_roll_backs(store: FolderStore, keep_one) -> None:
    kept: dict[str, bytes] = {}
    for version in (FIRST, SECOND):
        keep_one(version)
        approve(store, version, **JANA, **RULES, keep=1)
        now = {key: store.read(key) for key in store.list("audit")}
        assert now.items() >= kept.items()
        kept = now
    with pytest.raises(ReleaseRefused):
        roll_back(store, "application", by="Petr")  # the older one was pruned
    keep_one("20260103T000000Z-00000003")
    approve(store, "20260103T000000Z-00000003", **JANA, **RULES, keep=2)
    roll_back(store, "application", by="Petr", note="Complaints.")
    last = history(store)[-1]
    assert (last.event, last.version, last.by) == ("rolled back", SECOND, "Petr")
    assert last.before == "20260103T000000Z-00000003"


def test_an_event_that_was_tampered_with_is_named(store: FolderStore, keep_one) -> None:
    keep_one(FIRST)
    (key,) = store.list("audit")
    store.write(key, b"{}")
    with pytest.raises(ReleaseRefused, match=os.path.basename(key)):  # noqa: PTH119 - a key
        history(store)


def test_people_decide_on_the_command_line(
    keep_one, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAN_HOME", str(tmp_path))
    keep_one(FIRST)

    def releases(*options: str) -> str:
        result = CliRunner().invoke(main, ["releases", "--feature-set", "application", *options])
        assert result.exit_code == 0, result.output
        return result.output

    assert f"? {FIRST}  waits for approval" in releases()
    unnamed = CliRunner().invoke(main, ["releases", "--approve", FIRST])
    assert "--by NAME" in unnamed.output
    assert f"* {FIRST}" in releases("--approve", FIRST, "--by", "Jana", "--note", "Good.")
    trail = releases("--history")
    assert "approved" in trail
    assert "by Jana: Good." in trail
    exported = json.loads(releases("--history", "--json"))
    assert [one["event"] for one in exported] == ["waiting", "approved", "released"]
    assert exported[1]["verdict"]["rules"]


@pytest.mark.parametrize(("decision", "current"), [("approve", FIRST), ("reject", None)])
def test_people_decide_in_the_ui(
    store: FolderStore, keep_one, tmp_path: Path, decision: str, current: str | None
) -> None:
    keep_one(FIRST)
    config = {"version": FIRST, "decision": decision, "by": "Jana", "note": "Discussed on Monday."}
    job = build_defs(Settings(home=tmp_path)).resolve_job_def("release_decision")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            run_config={"ops": {"decide": {"config": config}}}, instance=instance
        )
        seen = {
            "approve": instance.fetch_materializations(RELEASE, limit=1),
            "reject": instance.fetch_observations(RELEASE, limit=1),
        }
    assert result.success
    (record,) = seen[decision].records
    event = record.asset_materialization or record.event_log_entry.asset_observation
    assert event.description == "Jana: Discussed on Monday."
    assert event.metadata["version"].value == FIRST
    assert str(event.metadata["page"].value).endswith("/model#application")
    assert current_version(store, "application") == current
    assert any(one.note == "Discussed on Monday." for one in history(store))


def test_the_dossier_is_one_file_with_what_an_auditor_asks_for(
    store: FolderStore, keep_one, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAN_HOME", str(tmp_path))
    manifest = keep_one(FIRST)
    approve(store, FIRST, by="Jana <script>", note="As last time.", **RULES, keep=5)
    out = tmp_path / "dossier.html"
    result = CliRunner().invoke(main, ["releases", "--dossier", FIRST, "--out", str(out)])
    assert result.exit_code == 0, result.output
    text = out.read_text()
    for file, facts in manifest.files.items():
        assert file in text
        assert facts.sha256 in text
    assert "As last time." in text
    assert "Jana &lt;script&gt;" in text
    assert "<script" not in text
    assert manifest.training.snapshot_id in text
    assert all(feature.name in text for feature in manifest.features)
    roc_auc = manifest.metrics["out_of_time"]["roc_auc"]
    assert f"{roc_auc.low:.3f} to {roc_auc.high:.3f}" in text
    assert "http" not in text.replace("http://www.w3.org", ""), "nothing comes from elsewhere"


def test_the_dossier_names_the_banks_currency(store: FolderStore, keep_one) -> None:
    keep_one(FIRST)
    approve(store, FIRST, by="Jana", note="Amounts in CZK checked.", **RULES, keep=5)
    text = dossier(store, FIRST, "EUR")
    (picture,) = re.findall(r"data:image/svg\+xml;base64,([\w+/=]+)", text)
    assert "million EUR" in b64decode(picture).decode()
    assert "EUR" in text
    words = text.replace("Amounts in CZK checked.", "")
    assert words != text, "what people wrote stays as it is"
    assert "CZK" not in words


def test_a_dossier_of_a_release_that_is_not_kept_is_refused(
    keep_one, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAN_HOME", str(tmp_path))
    keep_one(FIRST)  # it waits, and is no release
    out = tmp_path / "dossier.html"
    result = CliRunner().invoke(main, ["releases", "--dossier", FIRST, "--out", str(out)])
    assert result.exit_code != 0
    assert "holds no release" in result.output
    assert not out.exists()
