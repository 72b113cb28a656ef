"""Filling, watching, and what a bank that breaks the contract leads to; on a small sample bank."""

from pathlib import Path

import dagster as dg
import duckdb
import pytest

from loan_pipeline.bank.embedded.database import EmbeddedBank
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.definitions import build_defs
from loan_pipeline.defs.jobs import fill_ops, whole_pipeline
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.run import failure_message
from loan_pipeline.settings import Settings

pytestmark = pytest.mark.slow

SOURCE = "sample:scale=0.02,seed=3"
RAW = {f"raw/{table.name}" for table in TABLES}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def run(settings: Settings, *assets: str, source: str = "") -> dg.ExecuteInProcessResult:
    """Materialise these assets and nothing else, with the checks of the raw tables if any."""
    return (
        build_defs(settings)
        .resolve_job_def(whole_pipeline.name)
        .execute_in_process(
            asset_selection=[dg.AssetKey.from_user_string(asset) for asset in assets],
            run_config={"ops": fill_ops(source)} if "bank" in assets else {},
            raise_on_error=False,
        )
    )


def _events(result: dg.ExecuteInProcessResult, kind: dg.DagsterEventType) -> set[str]:
    return {
        event.asset_key.to_user_string()
        for event in result.all_events
        if event.event_type is kind and event.asset_key
    }


def test_a_table_is_materialised_where_it_was_filled_and_observed_where_it_was_not(
    settings: Settings,
) -> None:
    filled = run(settings, "bank", source=SOURCE)
    assert filled.success, failure_message(filled)
    assert _events(filled, dg.DagsterEventType.ASSET_MATERIALIZATION) == RAW | {"bank"}
    kept = run(settings, "bank")
    assert kept.success, failure_message(kept)
    assert _events(kept, dg.DagsterEventType.ASSET_MATERIALIZATION) == {"bank"}
    assert _events(kept, dg.DagsterEventType.ASSET_OBSERVATION) == RAW


def test_a_bank_that_is_the_system_of_record_is_observed_and_never_filled(
    settings: Settings,
) -> None:
    assert run(settings, "bank", source=SOURCE).success
    bank = EmbeddedBank(settings.embedded_bank_path)
    before = bank.row_counts()
    only_read = settings.model_copy(update={"bank_managed": False})
    refused = run(only_read, "bank", source="sample:scale=0.01")
    assert not refused.success
    assert "LOAN_BANK_MANAGED=false" in failure_message(refused)
    observed = run(only_read, "bank")
    assert observed.success, failure_message(observed)
    assert _events(observed, dg.DagsterEventType.ASSET_OBSERVATION) == RAW
    assert bank.row_counts() == before


@pytest.fixture
def broken(settings: Settings) -> Settings:
    """A bank with a transaction of a type that no rule knows."""
    assert run(settings, "bank", source=SOURCE).success
    with duckdb.connect(settings.embedded_bank_path) as connection:
        connection.execute("UPDATE trans SET type = 'GIFT' WHERE trans_id = 1")
        changed = connection.execute("SELECT count(*) FROM trans WHERE type = 'GIFT'").fetchall()
    assert changed == [(1,)]
    return settings


def test_a_broken_bank_stops_the_run_before_the_snapshot(broken: Settings) -> None:
    result = (
        build_defs(broken).resolve_job_def("retraining").execute_in_process(raise_on_error=False)
    )
    assert not result.success
    assert "trans.type" in failure_message(result)
    assert "GIFT" in failure_message(result)
    assert FolderStore(broken.home / "lake").folders("snapshots") == []


def test_a_snapshot_taken_alone_of_a_broken_bank_is_not_built_on(broken: Settings) -> None:
    """The raw tables' check is not part of this run; the snapshot's own verdict holds."""
    taken = run(broken, "snapshot")
    assert not taken.success
    [failed] = [check for check in taken.get_asset_check_evaluations() if not check.passed]
    assert failed.check_name == "contract"
    problems = failed.metadata["problems"]
    assert isinstance(problems, dg.TableMetadataValue)
    assert problems.records[0].data["place"] == "trans.type"
    for table in ("loan_features", "account_features"):
        message = failure_message(run(broken, table))
        assert "must not be used: «contract»: trans.type" in message
        assert "GIFT" in message
        assert "materialise the snapshot again" in message


def test_what_was_never_materialised_is_named(settings: Settings) -> None:
    message = failure_message(run(settings, "loan_features"))
    assert "snapshot was not materialised yet" in message
    assert "materialise snapshot first" in message


def test_a_record_of_another_version_of_the_software_is_named(settings: Settings) -> None:
    FolderStore(settings.home / "lake").write("assets/snapshot.json", b'{"snapshot_id": "s"}')
    message = failure_message(run(settings, "loan_features"))
    assert "no record of this version of the software" in message
    assert "materialise snapshot again" in message
