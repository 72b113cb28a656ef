"""The asset graph as people see it in the UI, loaded with no secret and no network."""

import socket

import dagster as dg
import pytest

from loan_pipeline.contracts.features import FEATURE_SET_NAMES
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.definitions import defs

pytestmark = pytest.mark.fast

RAW = {f"raw/{table.name}" for table in TABLES}


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    with pytest.MonkeyPatch.context() as patch:

        def refuse(*_: object) -> None:
            raise AssertionError("definitions must load without the network")

        patch.setattr(socket.socket, "connect", refuse)
        for name in ("LOAN_DATABASE_URL", "LOAN_LAKE_URL", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        loaded = defs()
        loaded.resolve_all_job_defs()
    return loaded


def _parents(definitions: dg.Definitions) -> dict[str, set[str]]:
    graph = definitions.resolve_asset_graph()
    return {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }


def test_the_assets_are_the_stages_of_the_data(definitions: dg.Definitions) -> None:
    per_set = {}
    for name in FEATURE_SET_NAMES:
        per_set |= {
            f"{name}/predictor": {"loan_features"},
            f"{name}/metrics": {f"{name}/predictor", "loan_features", "snapshot"},
            f"{name}/release": {
                f"{name}/predictor",
                f"{name}/metrics",
                "loan_features",
                "account_features",
                "snapshot",
            },
        }
    assert _parents(definitions) == {
        **{key: set() for key in RAW},
        "bank_report": RAW,
        "snapshot": RAW,
        "loan_features": {"snapshot"},
        "account_features": {"snapshot"},
        **per_set,
    }


def test_blocking_checks_stand_before_training_and_before_release(
    definitions: dg.Definitions,
) -> None:
    graph = definitions.resolve_asset_graph()
    blocking = {
        f"{key.asset_key.to_user_string()}:{key.name}"
        for key in graph.asset_check_keys
        if graph.get(key).blocking
    }
    expected = {f"{key}:contract" for key in RAW} | {
        "snapshot:rows_of_the_bank",
        "snapshot:files_are_whole",
        "snapshot:contract",
        "snapshot:newest_transaction",
        "loan_features:one_row_per_loan",
        "loan_features:values",
        "account_features:one_row_per_account",
        "account_features:values",
    }
    for name in FEATURE_SET_NAMES:
        expected.add(f"{name}/predictor:export_parity")
        expected |= {
            f"{name}/metrics:{check}"
            for check in ("roc_auc", "calibration", "not_worse_than_released")
        }
    assert expected <= blocking


def test_retraining_is_a_job_with_a_weekly_schedule_that_people_switch_on(
    definitions: dg.Definitions,
) -> None:
    schedule = definitions.resolve_schedule_def("weekly_retraining")
    assert schedule.job.name == "retraining"
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    steps = {
        key.to_user_string()
        for key in definitions.resolve_job_def("retraining").asset_layer.selected_asset_keys
    }
    assert "behavioural/release" in steps
    assert not steps & RAW


def test_a_bank_that_is_the_system_of_record_is_only_observed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOAN_BANK_MANAGED", "false")
    graph = defs().resolve_asset_graph()
    for key in RAW:
        node = graph.get(dg.AssetKey.from_user_string(key))
        assert node.is_observable
        assert not node.is_materializable
