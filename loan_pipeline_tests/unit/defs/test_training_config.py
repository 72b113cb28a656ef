"""What retrains by itself trains as the current release was trained."""

from pathlib import Path

import dagster as dg
import pytest

from loan_pipeline.contracts.predictor import PredictorManifest, predictor_key
from loan_pipeline.definitions import build_defs
from loan_pipeline.defs.training_config import TrainingConfig, as_released
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.settings import Settings
from loan_pipeline.training.errors import UnknownRecipe
from loan_pipeline_tests.helpers.bundles import release_bundle


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "lake")


def release(store: FolderStore, **trained: object) -> None:
    """Have a predictor that was trained in this way released."""
    bundle = release_bundle(store.root, "application")
    options = {"recipe": "default", "target": "observed", "cost_ratio": None, "seed": 0} | trained
    manifest = PredictorManifest(
        predictor_id=bundle.training.predictor_id,
        feature_set="application",
        test_from=None,
        snapshot_id="a snapshot",
        loan_features_id="loans",
        run_id="a run",
        code_revision=None,
        **options,
    )
    key = predictor_key("application", manifest.predictor_id)
    store.write(key, manifest.model_dump_json().encode())


def test_a_recipe_that_a_person_released_is_repeated(store: FolderStore) -> None:
    release(store, recipe="quick", target="finished", cost_ratio=5, seed=3, excluded=("gender",))
    config = as_released(TrainingConfig(as_released=True), store, "application")
    assert (config.recipe.value, config.target.value) == ("quick", "finished")
    assert (config.cost_ratio, config.seed) == (5, 3)
    assert config.excluded_features == ["gender"]


def test_so_is_one_of_the_user_s_own(store: FolderStore) -> None:
    release(store, recipe="own", hyperparameters={"LR": {}}, time_limit=60.0)
    config = as_released(TrainingConfig(as_released=True), store, "application")
    assert (config.hyperparameters, config.time_limit) == ({"LR": {}}, 60)


def test_without_a_release_the_configuration_counts(store: FolderStore) -> None:
    config = TrainingConfig(as_released=True, cost_ratio=2)
    assert as_released(config, store, "application") is config


def test_a_release_whose_predictor_is_gone_is_no_default(store: FolderStore) -> None:
    release_bundle(store.root, "application")
    with pytest.raises(UnknownRecipe, match="start a run with a recipe"):
        as_released(TrainingConfig(as_released=True), store, "application")


def test_schedule_and_sensors_ask_for_it(tmp_path: Path) -> None:
    definitions = build_defs(Settings(home=tmp_path))
    schedule = definitions.resolve_schedule_def("retraining_schedule")
    with dg.build_schedule_context() as context:
        (request,) = schedule.evaluate_tick(context).run_requests or ()
    assert request.run_config["ops"]["behavioural__predictor"]["config"] == {"as_released": True}
    assert dg.validate_run_config(
        definitions.resolve_job_def("retraining"), dict(request.run_config)
    )
