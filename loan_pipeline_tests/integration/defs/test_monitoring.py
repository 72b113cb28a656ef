"""Answers of the app reach the lake, are counted and compared; the portfolio is scored."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from loan_pipeline.contracts.portfolio import LATEST_PORTFOLIO_KEY, PortfolioSummary, portfolio_key
from loan_pipeline.definitions import build_defs
from loan_pipeline.defs.io_manager import read_record
from loan_pipeline.defs.jobs import fill_ops, training_ops
from loan_pipeline.defs.monitoring import DRIFT, DriftRecord
from loan_pipeline.lake.feature_tables import read_table_of_snapshot
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.lake.snapshot import latest_snapshot
from loan_pipeline.monitoring.drift import FEWEST
from loan_pipeline.run import failure_message
from loan_pipeline.settings import Settings
from loan_pipeline_tests.helpers.lake_folders import BY_APPS, BY_RUNS
from loan_pipeline_tests.helpers.small_forest import SMALL_FOREST
from webapp import create_app

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# One feature set stands for both.
UNTIL_PORTFOLIO = [
    *("bank", "bank_report", "snapshot", "loan_features", "account_features"),
    *(f"behavioural/{asset}" for asset in ("predictor", "holdout_predictor", "metrics")),
    *("behavioural/verdict", "behavioural/release", "portfolio/scores"),
]


class Office:
    """One home with its Dagster instance, as a person works with it."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings, self.instance = settings, instance
        self.store = FolderStore(settings.home / "lake")

    def run(self, job: str, **options: object) -> dg.ExecuteInProcessResult:
        definition = build_defs(self.settings).resolve_job_def(job)
        return definition.execute_in_process(
            instance=self.instance, raise_on_error=False, **options
        )


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A model is released, and the app has answered requests for unusual loans."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), minimum_roc_auc=0.5, currency="EUR")
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as instance:
        office = Office(settings, instance)
        training = training_ops(["behavioural"], hyperparameters=SMALL_FOREST)
        ops = fill_ops("sample:scale=0.5") | training
        assets = [dg.AssetKey.from_user_string(asset) for asset in UNTIL_PORTFOLIO]
        result = office.run("whole_pipeline", run_config={"ops": ops}, asset_selection=assets)
        assert result.success, failure_message(result)
        loans = read_table_of_snapshot(
            office.store, "loan_features", latest_snapshot(office.store).snapshot_id
        )
        assert loans is not None
        app = create_app(settings, host="127.0.0.1")
        client = app.test_client()
        for account in loans["account_id"].head(2 * FEWEST):
            request = {"account_id": int(account), "amount": 590_000, "duration": 12}
            assert client.post("/api/v1/predictions", json=request).status_code == 200
        app.extensions["loan_pipeline"].close()
        yield office


@pytest.fixture(scope="module")
def monitored(office: Office) -> dg.ExecuteInProcessResult:
    result = office.run("monitoring")
    assert result.success, failure_message(result)
    return result


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, dg.MetadataValue]:
    (event,) = [
        event
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey.from_user_string(asset)
    ]
    return dict(event.materialization.metadata)


def test_the_ui_names_the_banks_currency_in_tables_and_pictures(
    office: Office, monitored: dg.ExecuteInProcessResult
) -> None:
    assert monitored.success
    shown = ""
    for key in office.instance.all_asset_keys():
        event = office.instance.get_latest_materialization_event(key)
        assert event is not None
        assert event.asset_materialization is not None
        shown += repr(event.asset_materialization.metadata)
    pictures = re.findall(r"data:image/svg\+xml;base64,([\w+/=]+)", shown)
    shown += "".join(base64.b64decode(one).decode() for one in pictures)
    assert "profit, million EUR" in shown
    assert "expected loss, thousand EUR" in shown
    assert not re.search(r".{80}\bCZK\b", shown)


def test_the_lake_has_the_folders_that_roles_on_aws_may_write(
    office: Office, monitored: dg.ExecuteInProcessResult
) -> None:
    assert monitored.success
    # Candidates wait only for a person, and answers are kept by monitoring from their third day on.
    elsewhere = {"candidates", "monitoring"}
    assert set(office.store.folders()) == (BY_RUNS | BY_APPS) - elsewhere


def test_requests_are_counted_and_drawn(monitored: dg.ExecuteInProcessResult) -> None:
    found = metadata(monitored, "monitoring/requests")
    assert found["answers_7d"].value == 2 * FEWEST
    assert isinstance(found["p95_ms_7d"].value, float)
    assert "data:image/svg+xml" in str(found["volumes"].value)


def test_drift_of_the_terms_is_found_and_fails_the_check(
    office: Office, monitored: dg.ExecuteInProcessResult
) -> None:
    checks = {
        check.check_name: check
        for check in monitored.get_asset_check_evaluations()
        if check.asset_key == DRIFT
    }
    assert not checks["act_limit"].passed
    assert checks["act_limit"].severity is dg.AssetCheckSeverity.ERROR
    assert not checks["watch_limit"].passed
    assert checks["watch_limit"].severity is dg.AssetCheckSeverity.WARN
    record = read_record(office.store, DRIFT, DriftRecord)
    assert {"amount", "duration"} <= set(record.acted_on["behavioural"])
    found = metadata(monitored, "monitoring/drift")
    assert found["behavioural_largest_feature_index"].value > 0.25
    assert found["answers_without_a_baseline"].value == 0


def test_performance_is_expected_before_any_outcome(monitored: dg.ExecuteInProcessResult) -> None:
    found = metadata(monitored, "monitoring/performance")
    assert found["answers"].value == 2 * FEWEST
    assert found["requests_that_became_loans"].value == 0
    assert "share_not_paid_off" in str(found["expected"].value)


def test_the_portfolio_is_in_the_lake_with_sums_that_add_up(office: Office, tmp_path: Path) -> None:
    pointer = office.store.read_pointer(LATEST_PORTFOLIO_KEY)
    assert pointer is not None
    names = (pointer.value["snapshot_id"], pointer.value["model_version"])
    summary = PortfolioSummary.model_validate_json(
        office.store.read(portfolio_key(*names, "summary.json"))
    )
    assert summary.all_loans.loans > 100
    for sums in summary.totals.values():
        assert sum(one.loans for one in sums) == summary.all_loans.loans
        assert sum(one.exposure_czk for one in sums) == pytest.approx(
            summary.all_loans.exposure_czk
        )
    assert summary.watch_list
    assert all(one.reasons for one in summary.watch_list)
    lines = office.store.read(portfolio_key(*names, "loans.csv")).decode().splitlines()
    assert any("EUR" in line for line in lines)
    assert not any("CZK" in line for line in lines)
    assert len(lines) == 1 + summary.all_loans.loans
    office.store.download(portfolio_key(*names, "loans.parquet"), tmp_path / "loans.parquet")
