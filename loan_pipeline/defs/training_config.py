"""How predictors are trained: what a run's configuration says, or what the release says."""

from enum import Enum
from typing import Any

import dagster as dg
from pydantic import Field

from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.lake.protocol import Store
from loan_pipeline.release.publish import releases
from loan_pipeline.training.errors import UnknownRecipe
from loan_pipeline.training.inputs import TARGETS
from loan_pipeline.training.predictor_store import list_predictors
from loan_pipeline.training.recipes import RECIPE_NAMES

RecipeChoice = Enum("RecipeChoice", {name: name for name in RECIPE_NAMES})  # type: ignore[misc]
TargetChoice = Enum("TargetChoice", {name: name for name in TARGETS})  # type: ignore[misc]


class TrainingConfig(dg.Config):
    """How to train; the holdout predictor is trained in the same way."""

    recipe: RecipeChoice = Field(
        default=RecipeChoice["default"],
        description="Which models, bagged and averaged how: see docs/recipes.md.",
    )
    hyperparameters: dict[str, Any] = Field(
        default={},
        description="A recipe of your own in place of `recipe`: AutoGluon's hyperparameters by its "
        "model keys, see docs/recipes.md. Checked before anything is trained.",
    )
    presets: str = Field(default="", description="AutoGluon's preset for a recipe of your own.")
    time_limit: float = Field(
        default=0, ge=0, description="Seconds after which AutoGluon stops a training. 0: no limit."
    )
    target: TargetChoice = Field(
        default=TargetChoice["observed"],
        description="observed: A and C good, B and D bad; finished: A good, B bad.",
    )
    seed: int = Field(default=0, description="The same seed and loans give the same predictor.")
    cost_ratio: float = Field(
        default=0,
        ge=0,
        description="How many times a lost loan costs more than a good applicant turned away; the "
        "threshold is chosen for it. 0: for balanced accuracy.",
    )
    excluded_features: list[str] = Field(
        default=[],
        description="Features that the model must not see, beside those of "
        "LOAN_EXCLUDED_FEATURES; `loan-pipeline features` lists them.",
    )
    test_from: str = Field(
        default="",
        pattern=r"^(\d{4}-\d{2}-\d{2})?$",
        description="The first day of the out-of-time test, YYYY-MM-DD. Empty: the newest fifth.",
    )
    as_released: bool = Field(
        default=False,
        description="Train as the predictor of the current release was trained, where there is "
        "one; recipe, target, seed, costs and excluded features are then the release's.",
    )


def as_released(config: TrainingConfig, store: Store, name: FeatureSet) -> TrainingConfig:
    """The configuration that the current release was trained with; `config` where there is none.

    What retrains by itself repeats what a person chose and released.

    Raises:
        UnknownRecipe: the release's predictor is not in the lake, or cannot be read.
    """
    current = next((one for one in releases(store, name) if one.current), None)
    if current is None:
        return config
    predictor_id = current.manifest.training.predictor_id
    kept = list_predictors(store, name)
    used = next((one for one in kept if one.predictor_id == predictor_id), None)
    if used is None:
        raise UnknownRecipe(
            f"how the {name} release {current.version} was trained is not known: its predictor "
            f"{predictor_id} is not in {store.url}, or another version of this software wrote it; "
            "start a run with a recipe, and release that"
        )
    # A recipe of the user's own has another name: its hyperparameters say what it is.
    known = used.recipe if used.recipe in RECIPE_NAMES else "default"
    return TrainingConfig(
        recipe=RecipeChoice[known],
        hyperparameters=used.hyperparameters,
        presets=used.presets or "",
        time_limit=used.time_limit or 0,
        target=TargetChoice[used.target],
        seed=used.seed,
        cost_ratio=used.cost_ratio or 0,
        excluded_features=list(used.excluded),
    )
