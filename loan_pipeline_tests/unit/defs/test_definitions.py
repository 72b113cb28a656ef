"""The asset graph as people see it in the UI, loaded with no secret and no network."""

import socket
from pathlib import Path

import dagster as dg
import pytest
import yaml
from pydantic import SecretStr

from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FEATURES_BY_NAME
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.definitions import build_defs
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.release.gate import RULES
from loan_pipeline.settings import Settings

ROOT = Path(__file__).parents[3]
RAW = {f"raw/{table.name}" for table in TABLES}


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    with pytest.MonkeyPatch.context() as patch:

        def refuse(*_: object) -> None:
            raise AssertionError("definitions must load without the network")

        patch.setattr(socket.socket, "connect", refuse)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        loaded = build_defs(Settings(home=tmp_path_factory.mktemp("home")))
        loaded.resolve_all_job_defs()
    return loaded


def test_the_ui_names_the_banks_currency(tmp_path: Path) -> None:
    definitions = build_defs(Settings(home=tmp_path, currency="EUR"))
    graph = definitions.resolve_asset_graph()
    nodes = [graph.get(key) for key in graph.get_all_asset_keys()]
    shown = [(node.description, node.metadata) for node in nodes]
    checks = [graph.get(key).description for key in graph.asset_check_keys]
    assert "EUR" in repr(shown)
    assert "CZK" not in repr([shown, checks])


def _parents(definitions: dg.Definitions) -> dict[str, set[str]]:
    graph = definitions.resolve_asset_graph()
    return {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }


def test_the_assets_are_the_stages_of_the_data(definitions: dg.Definitions) -> None:
    per_set: dict[str, set[str]] = {}
    for name in FEATURE_SET_NAMES:
        predictor, holdout = f"{name}/predictor", f"{name}/holdout_predictor"
        metrics, verdict = f"{name}/metrics", f"{name}/verdict"
        per_set |= {
            predictor: {"loan_features"},
            holdout: {predictor, "loan_features"},
            metrics: {predictor, holdout, "loan_features", "snapshot"},
            verdict: {predictor, metrics, "loan_features", "snapshot"},
            f"{name}/release": {
                predictor,
                metrics,
                verdict,
                "loan_features",
                "account_features",
                "snapshot",
            },
        }
    released = {f"{name}/release" for name in FEATURE_SET_NAMES}
    assert _parents(definitions) == {
        "bank": set(),
        **{key: {"bank"} for key in RAW},
        "bank_report": RAW | {"bank"},
        "snapshot": RAW | {"bank"},
        "loan_features": {"snapshot"},
        "account_features": {"snapshot"},
        **per_set,
        "monitoring/requests": released,
        "monitoring/drift": released,
        "monitoring/performance": released | {"loan_features"},
        "portfolio/scores": {
            "behavioural/release",
            "snapshot",
            "loan_features",
            "account_features",
        },
    }


def test_blocking_checks_report_each_rule_that_holds_a_later_step(
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
        expected |= {f"{name}/verdict:{rule.name}" for rule in RULES}
    assert blocking == expected


def test_every_run_asks_the_contract_after_the_fill_and_before_the_snapshot(
    definitions: dg.Definitions,
) -> None:
    for job in ("whole_pipeline", "retraining", "fill"):
        nodes = definitions.resolve_job_def(job).dependencies
        upstream = {
            node.name: {
                one.node for deps in by_input.values() for one in deps.get_node_dependencies()
            }
            for node, by_input in nodes.items()
        }
        assert "raw_tables_contract" in upstream
        if job != "retraining":
            assert "bank" in upstream["raw_tables_contract"]
        if job != "fill":
            assert "raw_tables_contract" in upstream["snapshot"]


def test_the_bank_is_only_watched_as_raw_tables_and_filled_by_one_asset(
    definitions: dg.Definitions,
) -> None:
    graph = definitions.resolve_asset_graph()
    assert {key.to_user_string() for key in graph.external_asset_keys} == RAW


def test_every_field_of_every_config_says_what_it_means(definitions: dg.Definitions) -> None:
    fields = {
        f"{node.name}.{name}": field
        for node in definitions.resolve_job_def("whole_pipeline").nodes
        if (schema := node.definition.config_schema) and hasattr(schema.config_type, "fields")
        for name, field in schema.config_type.fields.items()
    }
    assert {"bank.source", "snapshot.adopt", "behavioural__predictor.recipe"} <= set(fields)
    assert [name for name, field in fields.items() if not field.description] == []


def test_columns_have_the_types_ranges_and_nulls_of_the_contract(
    definitions: dg.Definitions,
) -> None:
    graph = definitions.resolve_asset_graph()
    for table in ("loan_features", "account_features"):
        schema = graph.get(dg.AssetKey(table)).metadata["dagster/column_schema"]
        columns = {column.name: column for column in schema.columns}
        assert all(column.description for column in schema.columns)
        assert columns["account_id"].type == "integer"
        assert not columns["account_id"].constraints.nullable
        for name, column in columns.items():
            if feature := FEATURES_BY_NAME.get(name):
                assert column.type == feature.type
                assert column.constraints.nullable is (feature.null_means is not None)
                assert column.constraints.other
    frequency = columns["statement_frequency"]
    assert "POPLATEK MESICNE" in frequency.constraints.other[0]


@pytest.mark.parametrize(
    ("settings", "database", "store", "models"),
    [
        ({}, "duckdb", "folder", {"onnx"}),
        (
            {
                "database_url": "mysql+pymysql://bank:S3cret@db/financial",
                "lake_url": "s3://bucket/lake",
                "allow_pickles": True,
            },
            "mariadb",
            "s3",
            {"onnx", "autogluon"},
        ),
    ],
)
def test_kinds_name_the_database_the_store_and_the_models_in_use(
    settings: dict[str, object], database: str, store: str, models: set[str], tmp_path: Path
) -> None:
    loaded = build_defs(Settings.model_validate({"home": tmp_path, **settings}))
    specs = {spec.key.to_user_string(): spec.kinds for spec in loaded.resolve_all_asset_specs()}
    assert specs["raw/trans"] == {database}
    assert specs["snapshot"] == {"parquet", store}
    assert specs["behavioural/release"] == {store, *models}


def test_no_resource_shows_the_password_of_the_bank(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=SecretStr("mysql+pymysql://bank:S3cret@db/x"))
    loaded = build_defs(settings)
    resources = loaded.get_repository_def().get_top_level_resources()
    shown = [
        resource.config_schema.default_value_as_json_str
        for resource in resources.values()
        if resource.config_schema.default_provided
    ]
    assert any("keep_snapshots" in text for text in shown)
    assert not any("S3cret" in text for text in shown)


def test_tests_and_the_command_line_may_hand_in_a_resource_of_their_own(tmp_path: Path) -> None:
    lake = LakeResource(url=(tmp_path / "elsewhere").as_uri())
    loaded = build_defs(Settings(home=tmp_path), {"lake": lake})
    assert loaded.get_repository_def().get_top_level_resources()["lake"] is not None
    assert loaded.resources is not None
    assert loaded.resources["lake"] is lake


def _steps(definitions: dg.Definitions, job: str) -> set[str]:
    keys = definitions.resolve_job_def(job).asset_layer.selected_asset_keys
    return {key.to_user_string() for key in keys}


def test_each_job_runs_what_its_name_says(definitions: dg.Definitions) -> None:
    watching = {f"monitoring/{name}" for name in ("requests", "drift", "performance")}
    everything = set(_parents(definitions)) - RAW
    assert _steps(definitions, "whole_pipeline") == everything - watching
    after = everything - watching - {"bank", "bank_report", "snapshot"}
    assert _steps(definitions, "retraining") == after | {"snapshot"}
    assert _steps(definitions, "training") == after
    assert _steps(definitions, "monitoring") == watching
    assert _steps(definitions, "portfolio") == {"portfolio/scores"}
    assert _steps(definitions, "fill") == {"bank"}


def test_every_job_ends_when_it_hangs(definitions: dg.Definitions) -> None:
    for job in definitions.resolve_all_job_defs():
        if not job.name.startswith("__"):
            assert int(job.tags["dagster/max_runtime"]) > 0, job.name


def test_every_schedule_and_sensor_says_what_it_does(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    said = {one.name: one.description for one in repository.schedule_defs}
    said |= {one.name: one.description for one in repository.sensor_defs}
    assert len(said) == 5
    assert [name for name, description in said.items() if not description] == []


def test_schedules_and_sensors_are_off_until_switched_on(definitions: dg.Definitions) -> None:
    for name in ("retraining_schedule", "monitoring_schedule"):
        schedule = definitions.resolve_schedule_def(name)
        assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    for name in ("exported_by_others", "retraining_needed", "alerts"):
        sensor = definitions.resolve_sensor_def(name)
        assert sensor.default_status is dg.DefaultSensorStatus.STOPPED


def test_settings_say_when_schedules_run_and_that_they_do_from_the_start(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path,
        schedules="on",
        retraining_cron="15 4 1 * *",
        time_zone="Europe/Vienna",
        alert_urls=(SecretStr("json://hook"),),
    )
    loaded = build_defs(settings)
    schedule = loaded.resolve_schedule_def("retraining_schedule")
    assert schedule.job.name == "retraining"
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("15 4 1 * *", "Europe/Vienna")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    for name in ("retraining_needed", "alerts"):
        sensor = loaded.resolve_sensor_def(name)
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_snapshot_and_releases_have_a_freshness_policy_and_every_asset_an_owner(
    definitions: dg.Definitions,
) -> None:
    specs = {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}
    fresh = {name for name, spec in specs.items() if spec.freshness_policy}
    assert fresh == {"snapshot", *(f"{name}/release" for name in FEATURE_SET_NAMES)}
    assert all(spec.owners for spec in specs.values())


def test_every_asset_says_what_it_is_and_stands_in_the_order_of_the_data(
    definitions: dg.Definitions,
) -> None:
    specs = {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}
    assert all(spec.description and spec.kinds for spec in specs.values())
    groups = {name: spec.group_name or "" for name, spec in specs.items()}
    assert len(set(groups.values())) == 7
    backwards = [
        (parent, name)
        for name, parents in _parents(definitions).items()
        for parent in parents
        if groups[parent] > groups[name]
    ]
    assert backwards == [], "the UI lists groups by name"


def test_the_bank_is_filled_and_read_by_one_run_at_a_time(definitions: dg.Definitions) -> None:
    pools = {
        node.name: node.definition.pool
        for node in definitions.resolve_job_def("whole_pipeline").nodes
        if isinstance(node.definition, dg.OpDefinition)
    }
    assert {name for name, pool in pools.items() if pool == "bank"} == {"bank", "snapshot"}
    for file in ("dagster.yaml", "deploy/dagster.yaml"):
        of_pools = yaml.safe_load((ROOT / file).read_text())["concurrency"]["pools"]
        # A slot that a step holds is never given back by one that is killed.
        assert of_pools == {"default_limit": 1, "granularity": "run"}, file
