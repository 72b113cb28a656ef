"""What a run can be told about training, through Dagster, and whether it does it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from loan_pipeline.cli import main
from loan_pipeline.contracts.bundle import BundleManifest
from loan_pipeline.definitions import build_defs
from loan_pipeline.defs.jobs import training_ops, whole_pipeline
from loan_pipeline.defs.keys import metrics_key, predictor_key, release_key
from loan_pipeline.lake.open import open_store
from loan_pipeline.release.candidate import MetricsRecord
from loan_pipeline.release.publish import current_version
from loan_pipeline.run import RunFailedError, run_pipeline
from loan_pipeline.settings import Settings
from loan_pipeline.training import recipes
from loan_pipeline.training.predictor_store import list_predictors, open_predictor
from loan_pipeline_tests.helpers.packed_models import FEW
from loan_pipeline_tests.helpers.small_forest import SMALL_FOREST

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

UNTIL_METRICS = ["predictor", "holdout_predictor", "metrics"]
UNTIL_RELEASE = [*UNTIL_METRICS, "verdict", "release"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        # The real one takes minutes.
        patch.setattr(recipes, "RECIPES", (recipes.DEFAULT, FEW, recipes.QUICK))
        yield Settings(home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def refused(settings: Settings) -> str:
    """What a run of the published recipe says where pickles are not allowed."""
    with pytest.raises(RunFailedError) as failed:
        run_pipeline(settings, source="sample:scale=0.5", recipe="published", target="observed")
    store = open_store(settings.lake)
    assert list_predictors(store, "application") == [], "nothing was trained"
    assert current_version(store, "behavioural") is None
    return str(failed.value)


@pytest.fixture(scope="module")
def release(settings: Settings, refused: str) -> BundleManifest:
    """The behavioural model of the published recipe, where pickles are allowed."""
    assert refused
    allowing = settings.model_copy(update={"allow_pickles": True})
    keys = [f"behavioural/{asset}" for asset in UNTIL_RELEASE]
    result = _run(allowing, keys, training_ops(["behavioural"], recipe="published"))
    made: BundleManifest = result.asset_value(release_key("behavioural"))
    return made


def _run(settings: Settings, assets: list[str], ops: dict[str, Any]) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.from_config(str(settings.home / "dagster")) as instance:
        return (
            build_defs(settings)
            .resolve_job_def(whole_pipeline.name)
            .execute_in_process(
                run_config={"ops": ops},
                asset_selection=[dg.AssetKey.from_user_string(asset) for asset in assets],
                instance=instance,
            )
        )


def test_a_recipe_without_onnx_form_is_refused_before_it_trains(refused: str) -> None:
    assert "recipe published cannot be released" in refused
    assert "LOAN_ALLOW_PICKLES=true" in refused


def test_it_is_released_where_pickles_are_allowed(release: BundleManifest) -> None:
    assert release.kind == "autogluon"
    assert release.training.recipe == "published"
    assert "model.autogluon" in release.files
    assert "cross_validation" not in release.metrics, "nothing is bagged"


def test_the_command_line_scores_with_it_where_pickles_are_allowed(
    settings: Settings, release: BundleManifest
) -> None:
    arguments = "score --account 1 --amount 96000 --duration 24 --json"
    environment = {"LOAN_HOME": str(settings.home)}
    answer = _invoke(arguments, environment)
    assert answer.exit_code == 1
    assert "LOAN_ALLOW_PICKLES=true" in answer.output
    answered = json.loads(_invoke(arguments, {**environment, "LOAN_ALLOW_PICKLES": "true"}).output)
    assert answered["model_version"] == release.version
    assert answered["reasons"]


def _invoke(arguments: str, environment: dict[str, str]) -> Result:
    return CliRunner().invoke(main, arguments.split(), env=environment)


def _trained(settings: Settings, **config: Any) -> tuple[float, MetricsRecord]:
    """Train and measure the application model in a run; its threshold and its metrics."""
    ops = training_ops(["application"], **config)
    result = _run(settings, [f"application/{asset}" for asset in UNTIL_METRICS], ops)
    trained = result.asset_value(predictor_key("application"))
    measured: MetricsRecord = result.asset_value(metrics_key("application"))
    store = open_store(settings.lake)
    assert measured.predictor_id == trained.predictor_id
    return open_predictor(store, trained, settings.models_path).facts.threshold, measured


@pytest.mark.usefixtures("refused")  # what it left: features, and no predictor
def test_the_threshold_follows_the_cost_of_a_loss_and_the_test_its_configured_day(
    settings: Settings,
) -> None:
    cheap, by_default = _trained(settings, hyperparameters=SMALL_FOREST, cost_ratio=1.0)
    day = by_default.report["out_of_time"]["trained_until"]  # on which a loan was granted
    dear, measured = _trained(
        settings, hyperparameters=SMALL_FOREST, cost_ratio=20.0, test_from=day
    )
    assert dear > cheap, "the dearer a lost loan, the higher the threshold"
    reported = measured.report["out_of_time"]
    assert reported["trained_until"] < day == reported["tested_from"]
    assert set(measured.loan_ids) > set(by_default.loan_ids)


@pytest.mark.usefixtures("refused")
def test_a_recipe_of_ones_own_trains_both_predictors(settings: Settings) -> None:
    own = {"LOGXT": {"n_estimators": 40, "bootstrap": False}}
    _, measured = _trained(settings, hyperparameters=own, time_limit=300.0)
    assert measured.report["recipe"] == "own"
    names = {row["model"].split("_")[0] for row in measured.report["leaderboard"]}
    assert names == {"LogScaleExtraTrees", "WeightedEnsemble"}, "of the holdout predictor"


def test_hyperparameters_that_autogluon_would_not_take_stop_the_run_before_it_fills_the_bank(
    tmp_path: Path,
) -> None:
    (tmp_path / "own.json").write_text('{"LGBM": {}}')
    answer = _invoke(
        f"run --source sample --hyperparameters {tmp_path / 'own.json'}",
        {"LOAN_HOME": str(tmp_path / "home")},
    )
    assert answer.exit_code == 1
    assert "'LGBM' is no key of a model" in answer.output
    assert not (tmp_path / "home" / "bank.duckdb").exists()
