"""Each asset materialised alone, behind verdicts that failed, are missing, or are about another.

One small lake is made by a run; each test spoils a copy of it.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.definitions import build_defs
from loan_pipeline.defs.jobs import fill_ops, training_ops, whole_pipeline
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.release.publish import current_version
from loan_pipeline.run import failure_message
from loan_pipeline.settings import Settings
from loan_pipeline_tests.helpers.small_forest import SMALL_FOREST

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NAME: FeatureSet = "application"
OF_MODEL = ("predictor", "holdout_predictor", "metrics", "verdict", "release")
UNTIL_RELEASE = [
    *("bank", "snapshot", "loan_features", "account_features"),
    *(f"{NAME}/{asset}" for asset in OF_MODEL),
]
POINTER = f"releases/{NAME}/latest.json"


def run(settings: Settings, assets: list[str], **config: Any) -> dg.ExecuteInProcessResult:
    """Materialise these assets and nothing else, as the UI does it."""
    return (
        build_defs(settings)
        .resolve_job_def(whole_pipeline.name)
        .execute_in_process(
            asset_selection=[dg.AssetKey.from_user_string(asset) for asset in assets],
            run_config=config,
            raise_on_error=False,
        )
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose lake holds one release, made by one run."""
    home = tmp_path_factory.mktemp("home")
    ops = fill_ops("sample:scale=0.5") | training_ops([NAME], hyperparameters=SMALL_FOREST)
    result = run(_settings(home), UNTIL_RELEASE, ops=ops)
    assert result.success, failure_message(result)
    return home


def _settings(home: Path, **changes: Any) -> Settings:
    return Settings.model_validate({"home": home, "minimum_roc_auc": 0.5, **changes})


@pytest.fixture
def settings(home: Path, tmp_path: Path) -> Settings:
    """The settings of a copy of that home, as it was before the release."""
    copy = tmp_path / "home"
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns("models"))
    (copy / "models").symlink_to(home / "models")  # what is cached does not change
    store = FolderStore(copy / "lake")
    store.delete(POINTER)
    return _settings(copy)


def _store(settings: Settings) -> FolderStore:
    return FolderStore(settings.home / "lake")


def _refused(settings: Settings, asset: str) -> str:
    """What materialising the asset alone says; it must fail and leave its record as it was."""
    store, key = _store(settings), f"assets/{asset}.json"
    before = store.read(key)
    result = run(settings, [asset])
    assert not result.success
    assert store.read(key) == before
    return failure_message(result)


def _edit(store: FolderStore, key: str, change: Callable[[dict[str, Any]], None]) -> None:
    record = json.loads(store.read(key))
    change(record)
    store.write(key, json.dumps(record).encode())


def _fail(verdict: dict[str, Any]) -> None:
    blocking = next(check for check in verdict["checks"] if check["blocking"])
    blocking |= {"passed": False, "says": "42 rows are spoiled"}


def _about_another(field: str) -> Callable[[dict[str, Any]], None]:
    def change(verdict: dict[str, Any]) -> None:
        verdict[field] = "another"

    return change


def _verdicts(settings: Settings) -> dict[str, str]:
    """The keys of the verdicts in the lake."""
    [snapshot] = _store(settings).folders("snapshots")
    return {
        "snapshot": f"snapshots/{snapshot}/verdict.json",
        "loan_features": f"features/{snapshot}/loan_features.verdict.json",
        "account_features": f"features/{snapshot}/account_features.verdict.json",
        "candidate": f"assets/{NAME}/verdict.json",
    }


BEHIND = [
    ("loan_features", "snapshot", "snapshot_id"),
    ("account_features", "snapshot", "snapshot_id"),
    (f"{NAME}/predictor", "snapshot", "snapshot_id"),
    (f"{NAME}/predictor", "loan_features", "table_id"),
    (f"{NAME}/holdout_predictor", "loan_features", "table_id"),
    (f"{NAME}/release", "loan_features", "table_id"),
    (f"{NAME}/release", "account_features", "table_id"),
    (f"{NAME}/release", "candidate", "predictor_id"),
    (f"{NAME}/release", "candidate", "metrics_id"),
]


@pytest.mark.parametrize(("asset", "verdict", "field"), BEHIND)
@pytest.mark.parametrize("how", ["failed", "missing", "of another"])
def test_nothing_is_built_on_what_has_no_verdict_that_passed(
    settings: Settings, asset: str, verdict: str, field: str, how: str
) -> None:
    store, key = _store(settings), _verdicts(settings)[verdict]
    if how == "failed":
        _edit(store, key, _fail)
    elif how == "missing":
        store.delete(key)
    else:
        _edit(store, key, _about_another(field))
    message = _refused(settings, asset)
    expected = {
        "failed": "42 rows are spoiled",
        "missing": "is missing",
        "of another": "do not belong together",
    }
    assert expected[how] in message
    assert "materialise" in message
    assert current_version(store, NAME) is None


@pytest.mark.parametrize(
    ("asset", "record", "field"),
    [
        (f"{NAME}/holdout_predictor", f"{NAME}/predictor", "loan_features_id"),
        (f"{NAME}/metrics", f"{NAME}/predictor", "loan_features_id"),
        (f"{NAME}/metrics", f"{NAME}/predictor", "snapshot_id"),
        (f"{NAME}/metrics", f"{NAME}/holdout_predictor", "holdout_of"),
        (f"{NAME}/verdict", f"{NAME}/metrics", "predictor_id"),
        (f"{NAME}/verdict", f"{NAME}/predictor", "loan_features_id"),
        (f"{NAME}/release", f"{NAME}/metrics", "predictor_id"),
        (f"{NAME}/release", f"{NAME}/predictor", "predictor_id"),
        (f"{NAME}/release", "account_features", "snapshot_id"),
    ],
)
def test_records_of_different_things_are_never_mixed_and_both_are_named(
    settings: Settings, asset: str, record: str, field: str
) -> None:
    store, key = _store(settings), f"assets/{record}.json"
    was = json.loads(store.read(key))[field]
    _edit(store, key, _about_another(field))
    message = _refused(settings, asset)
    assert "do not belong together" in message
    assert "another" in message
    assert was in message
    assert "materialise" in message
    assert current_version(store, NAME) is None


def test_a_feature_table_that_changed_since_its_verdict_is_not_learned_from(
    settings: Settings,
) -> None:
    store = _store(settings)
    table = json.loads(store.read("assets/loan_features.json"))
    store.write(table["key"], store.read(table["key"]) + b"\0")
    assert "built again or changed" in _refused(settings, f"{NAME}/predictor")


def test_what_failed_its_own_rules_is_recorded_and_holds_the_next_step(settings: Settings) -> None:
    """The rules run in the step itself, so that no way round them is left."""

    def claim_more_loans(manifest: dict[str, Any]) -> None:
        manifest["tables"]["loan"]["rows"] = 10_000

    _edit(_store(settings), "assets/snapshot.json", claim_more_loans)
    result = run(settings, ["loan_features"])
    assert not result.success
    assert "knows 10,000" in failure_message(result)
    [failed] = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert failed.check_name == "one_row_per_loan"
    problems = failed.metadata["problems"]
    assert isinstance(problems, dg.TableMetadataValue)
    assert problems.records[0].data["place"] == "loan_id"
    assert "knows 10,000" in _refused(settings, f"{NAME}/predictor")


def test_a_refused_candidate_cannot_be_released_alone_until_it_is_judged_again(
    settings: Settings,
) -> None:
    store = _store(settings)
    strict = settings.model_copy(update={"minimum_roc_auc": 0.99})
    refused = run(strict, [f"{NAME}/verdict", f"{NAME}/release"])
    assert not refused.success
    assert "at least 0.990 is needed" in failure_message(refused)
    for now in (strict, settings):
        assert "at least 0.990 is needed" in _refused(now, f"{NAME}/release")
    assert current_version(store, NAME) is None
    judged_again = run(settings, [f"{NAME}/verdict", f"{NAME}/release"])
    assert judged_again.success, failure_message(judged_again)
    assert current_version(store, NAME) is not None


def test_after_a_release_the_comparison_is_made_again_before_the_next(settings: Settings) -> None:
    store = _store(settings)
    first = run(settings, [f"{NAME}/release"])
    assert first.success, failure_message(first)
    version = current_version(store, NAME)
    again = run(settings, [f"{NAME}/release"])
    message = failure_message(again)
    assert f"was compared with release none, but the current one is {version}" in message
    assert f"materialise {NAME}/verdict" in message
    assert current_version(store, NAME) == version
    both = run(settings, [f"{NAME}/verdict", f"{NAME}/release"])
    assert both.success, failure_message(both)
    verdict = json.loads(store.read(f"assets/{NAME}/verdict.json"))
    assert verdict["champion"] == version


def test_a_release_names_everything_it_was_made_from(home: Path) -> None:
    store = FolderStore(home / "lake")
    version = current_version(store, NAME)
    manifest = json.loads(store.read(f"releases/{NAME}/{version}/manifest.json"))
    training = manifest["training"]
    predictor = json.loads(
        store.read(f"predictors/{NAME}/{training['predictor_id']}/manifest.json")
    )
    loans = json.loads(store.read("assets/loan_features.json"))
    assert training["snapshot_id"] == predictor["snapshot_id"] == loans["snapshot_id"]
    assert training["loan_features_id"] == predictor["loan_features_id"] == loans["table_id"]
    verdict = json.loads(store.read(f"releases/{NAME}/{version}/verdict.json"))
    assert verdict["predictor_id"] == training["predictor_id"]
    assert verdict["metrics_id"] == training["metrics_id"]
    for record in (manifest, predictor, loans, verdict):
        assert record["code_revision"]


def test_the_next_step_may_run_on_another_machine(settings: Settings) -> None:
    """Nothing but the lake is needed: predictors come from there, verified."""
    (settings.home / "models").unlink()
    result = run(settings, [f"{NAME}/metrics", f"{NAME}/verdict", f"{NAME}/release"])
    assert result.success, failure_message(result)


def test_old_predictors_go_and_those_of_kept_releases_and_of_the_candidate_stay(
    settings: Settings,
) -> None:
    store, folder = _store(settings), f"predictors/{NAME}"
    released = set(store.folders(folder))
    old = json.loads(store.read(f"assets/{NAME}/predictor.json"))
    old["predictor_id"] = "20200101T000000000000Z-00000000"
    store.write(f"{folder}/{old['predictor_id']}/manifest.json", json.dumps(old).encode())
    few = settings.model_copy(update={"keep_predictors": 1})
    result = run(few, [f"{NAME}/predictor"], ops=training_ops([NAME], hyperparameters=SMALL_FOREST))
    assert result.success, failure_message(result)
    trained = json.loads(store.read(f"assets/{NAME}/predictor.json"))["predictor_id"]
    assert set(store.folders(folder)) == released | {trained}


def test_columns_are_traced_to_the_raw_tables(home: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            build_defs(_settings(home))
            .resolve_job_def(whole_pipeline.name)
            .execute_in_process(
                asset_selection=[dg.AssetKey("account_features")], instance=instance
            )
        )
        assert result.success
        event = instance.get_latest_materialization_event(dg.AssetKey("account_features"))
    assert event is not None
    assert event.asset_materialization is not None
    schema = event.asset_materialization.metadata["dagster/column_schema"].value
    assert isinstance(schema, dg.TableSchema)
    columns = {column.name: column.description or "" for column in schema.columns}
    record = json.loads(FolderStore(home / "lake").read("assets/account_features.json"))
    assert list(columns) == record["columns"]
    assert columns["district_salary_mean_czk"].endswith("Computed from district.A11.")
    lineage = event.asset_materialization.metadata["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    [salary] = lineage.deps_by_column["district_salary_mean_czk"]
    assert (salary.asset_key.path, salary.column_name) == (["raw", "district"], "A11")
    balance = {dep.column_name for dep in lineage.deps_by_column["balance_last_czk"]}
    assert "balance" in balance
