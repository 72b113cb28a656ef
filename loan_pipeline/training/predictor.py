"""A trained predictor: AutoGluon's folder beside its calibration, threshold and facts.

Made by `train`; everything that predicts with AutoGluon goes through here.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from loan_pipeline.contracts.bundle import AUTOGLUON
from loan_pipeline.contracts.features import (
    Feature,
    FeatureSet,
    contract_version,
    feature_set,
)
from loan_pipeline.training.autogluon import tabular_predictor
from loan_pipeline.training.calibration import Platt, calibrate
from loan_pipeline.training.errors import ModelError
from loan_pipeline.training.inputs import FloatArray, Target, model_inputs
from loan_pipeline.training.monotone import falling_with_amount
from loan_pipeline.training.recipes import Recipe, model_kind
from loan_pipeline.training.silence import silence_libraries

if TYPE_CHECKING:
    from autogluon.tabular import TabularPredictor

PREDICTOR_FOLDER = "predictor"
FACTS_FILE = "trained.json"


class TrainedFacts(BaseModel):
    """What is known of a training beside AutoGluon's own files.

    Attributes:
        recipe: the name of the recipe.
        definition: the whole recipe.
        excluded: features of the set that the model does not see.
        threshold: "paid off" is answered at or above this probability.
        reference: the reference loan, a usual paid-off one, which reasons compare against: the
            model's number of each feature, None where most loans have no value.
        amounts: the smallest and the largest amount among the training loans.
        loan_ids: the training loans, oldest first, with their outcomes in `paid_off`.
        out_of_fold: uncalibrated scores of the training loans by models that did not see them,
            in the order of `loan_ids`; empty where the recipe does not bag.
    """

    model_config = ConfigDict(frozen=True)

    feature_set: FeatureSet
    excluded: tuple[str, ...] = ()
    contract_version: str
    recipe: str
    definition: Recipe
    target: Target
    seed: int
    n_train: int
    bad_train: int
    first_loan_date: str
    last_loan_date: str
    seconds_train: float
    slope: float
    intercept: float
    threshold: float
    cost_ratio: float | None
    reference: tuple[float | None, ...]
    amounts: tuple[float, float]
    loan_ids: tuple[int, ...]
    paid_off: tuple[int, ...]
    out_of_fold: tuple[float, ...]


class TrainedPredictor:
    """A trained AutoGluon predictor with its calibration and threshold."""

    def __init__(self, predictor: "TabularPredictor", facts: TrainedFacts, path: Path) -> None:
        self.predictor = predictor
        self.facts = facts
        self.path = path
        self.calibration = Platt(facts.slope, facts.intercept)

    @property
    def recipe(self) -> Recipe:
        """How it was trained."""
        return self.facts.definition

    @property
    def features(self) -> tuple[Feature, ...]:
        """The model's inputs, in its order."""
        return feature_set(self.facts.feature_set, self.facts.excluded)

    def predict_proba(self, loans: pd.DataFrame) -> FloatArray:
        """Calibrated probabilities of "paid off" for rows with the contract's features."""
        return self.predict_proba_of_inputs(self.inputs(loans))

    def inputs(self, loans: pd.DataFrame) -> pd.DataFrame:
        """What the model sees of rows with the contract's features, as `model_inputs` makes it."""
        return model_inputs(loans, self.facts.feature_set, self.facts.excluded)

    def predict_proba_of_inputs(self, inputs: pd.DataFrame) -> FloatArray:
        """The same for encoded inputs, as `model_inputs` makes them."""
        if model_kind(self.recipe) == AUTOGLUON:
            return falling_with_amount(self._probabilities, inputs, self.facts.amounts)
        return self._probabilities(inputs)

    def _probabilities(self, inputs: pd.DataFrame) -> FloatArray:
        return self.calibration.apply(self._scores(inputs))

    def scores_by_model(self, loans: pd.DataFrame) -> dict[str, FloatArray]:
        """Uncalibrated scores of every model, the ensemble among them, by its name.

        Of a bag and the model that learned from all loans in its place, the latter.
        """
        inputs = self.inputs(loans)
        bags = self.predictor.model_refit_map()
        names = [name for name in self.predictor.model_names() if name not in bags]
        return {name: self._scores(inputs, name) for name in names}

    def seconds_by_model(self) -> dict[str, float]:
        """Seconds that training took, by model, without the models that it averages."""
        with silence_libraries():
            board = self.predictor.leaderboard(display=False)
        return {
            str(name): float(seconds)
            for name, seconds in zip(board["model"], board["fit_time_marginal"], strict=True)
        }

    def calibration_of(self, model: str) -> tuple[Platt, float]:
        """Calibration and threshold that one model alone would have, by the recipe's rule."""
        if not self.facts.out_of_fold:
            return self.calibration, self.facts.threshold
        scores = out_of_fold_scores(self.predictor, model)
        outcomes = np.asarray(self.facts.paid_off, dtype=np.int64)
        return calibrate(scores, outcomes, self.facts.cost_ratio)

    def _scores(self, inputs: pd.DataFrame, model: str | None = None) -> FloatArray:
        with silence_libraries():
            scores = self.predictor.predict_proba(inputs, model=model, as_multiclass=False)
        return np.asarray(scores, dtype=np.float64)


def load_predictor(path: Path) -> TrainedPredictor:
    """The predictor kept in `path`. Only for folders of our own making: AutoGluon unpickles.

    Raises:
        ModelError: there is none, or it was made for other features.
    """
    try:
        facts = TrainedFacts.model_validate_json((path / FACTS_FILE).read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"no trained predictor in {path}: train one first") from error
    except ValidationError as error:
        raise ModelError(f"{path / FACTS_FILE} is damaged: train again ({error})") from error
    if facts.contract_version != contract_version(facts.feature_set, facts.excluded):
        raise ModelError(
            f"the predictor in {path} was made for another list of {facts.feature_set} features: "
            "train again"
        )
    with silence_libraries():
        predictor = tabular_predictor().load(str(path / PREDICTOR_FOLDER), verbosity=0)
    return TrainedPredictor(predictor, facts, path)


def out_of_fold_scores(predictor: "TabularPredictor", model: str | None = None) -> FloatArray:
    """Scores of the training loans, in their order, by models that did not see them."""
    with silence_libraries():
        scores = predictor.predict_proba_oof(model=model, as_multiclass=False)
    return np.asarray(scores.sort_index(), dtype=np.float64)
