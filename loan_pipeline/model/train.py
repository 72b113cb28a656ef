"""Training: a table of loans and a recipe become a predictor in a folder, and load back.

AutoGluon does the learning; here are the seeds, the fixed averages, the calibration, and the rule
that an interrupted training leaves the last good predictor in place.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from loan_pipeline.contracts.features import FeatureSet, contract_version
from loan_pipeline.model import quiet
from loan_pipeline.model.calibration import Platt, calibrate
from loan_pipeline.model.errors import ModelError, TrainingFailed
from loan_pipeline.model.inputs import (
    FloatArray,
    Target,
    model_inputs,
    require_enough,
    with_outcome,
)
from loan_pipeline.model.recipes import Recipe, RecipeName
from loan_pipeline.progress import track

if TYPE_CHECKING:
    from autogluon.tabular import TabularPredictor

_LABEL = "paid_off"
_PREDICTOR = "predictor"
_FACTS = "trained.json"


class TrainedFacts(BaseModel):
    """What is known of a training beside AutoGluon's own files.

    Attributes:
        threshold: "paid off" is answered at or above this probability.
        loan_ids: the training loans, oldest first, with their outcomes in `paid_off`.
        out_of_fold: uncalibrated scores of the training loans by models that did not see them,
            in the order of `loan_ids`; empty where the recipe does not bag.
    """

    model_config = ConfigDict(frozen=True)

    feature_set: FeatureSet
    contract_version: str
    recipe: RecipeName
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

    def predict_proba(self, loans: pd.DataFrame) -> FloatArray:
        """Calibrated probabilities of "paid off" for rows with the contract's features."""
        return self.predict_proba_of_inputs(model_inputs(loans, self.facts.feature_set))

    def predict_proba_of_inputs(self, inputs: pd.DataFrame) -> FloatArray:
        """The same for encoded inputs, as `model_inputs` makes them."""
        return self.calibration.apply(self._scores(inputs))

    def scores_by_model(self, loans: pd.DataFrame) -> dict[str, FloatArray]:
        """Uncalibrated scores of every model, the ensemble among them, by its name."""
        inputs = model_inputs(loans, self.facts.feature_set)
        return {name: self._scores(inputs, name) for name in self.predictor.model_names()}

    def seconds_by_model(self) -> dict[str, float]:
        """Seconds that training took, by model, without the models that it averages."""
        with quiet.libraries():
            board = self.predictor.leaderboard(display=False)
        return {
            str(name): float(seconds)
            for name, seconds in zip(board["model"], board["fit_time_marginal"], strict=True)
        }

    def calibration_of(self, model: str) -> tuple[Platt, float]:
        """Calibration and threshold that one model alone would have, by the recipe's rule."""
        if not self.facts.out_of_fold:
            return self.calibration, self.facts.threshold
        scores = _out_of_fold_scores(self.predictor, model)
        outcomes = np.asarray(self.facts.paid_off, dtype=np.int64)
        return calibrate(scores, outcomes, self.facts.cost_ratio)

    def _scores(self, inputs: pd.DataFrame, model: str | None = None) -> FloatArray:
        with quiet.libraries():
            scores = self.predictor.predict_proba(inputs, model=model, as_multiclass=False)
        return np.asarray(scores, dtype=np.float64)


def train_predictor(
    loans: pd.DataFrame,
    feature_set: FeatureSet,
    chosen: Recipe,
    target: Target,
    path: Path,
    *,
    seed: int = 0,
    cost_ratio: float | None = None,
) -> TrainedPredictor:
    """Train a predictor on all the loans given and keep it in `path`.

    Args:
        loans: one row per loan, as `loan_features` makes them.
        feature_set: which of the contract's features the model sees.
        chosen: the recipe.
        target: which loans count, and as what.
        path: the folder to keep it in; what was there is replaced once training has succeeded.
        seed: the same seed, loans and number of processors give the same predictor.
        cost_ratio: how many times a loan lost costs more than a good applicant turned away;
            None chooses the threshold for balanced accuracy.

    Raises:
        UnsuitableLoans: too few loans, one outcome only, a feature missing or empty.
        TrainingFailed: AutoGluon failed, or the disk is full; `path` is as it was.
    """
    known = with_outcome(loans, target)
    require_enough(known, f"training on the target {target}")
    inputs = model_inputs(known, feature_set)
    outcomes = known[_LABEL].to_numpy()
    with _replacing(path) as folder, track(f"Training {feature_set} ({chosen.name})"):
        started = time.perf_counter()
        try:
            predictor = _fit(inputs.assign(**{_LABEL: outcomes}), chosen, folder, seed)
        except ModelError:
            raise
        except Exception as error:
            raise TrainingFailed(
                f"training the {feature_set} predictor by recipe {chosen.name} on {len(known)} "
                f"loans failed in {folder}: {type(error).__name__}: {error}. "
                f"{path} is as it was before"
            ) from error
        scores = _out_of_fold_scores(predictor) if chosen.bag_folds else None
        platt, threshold = Platt(), 0.5
        if scores is not None and chosen.calibrated:
            platt, threshold = calibrate(scores, outcomes, cost_ratio)
        facts = TrainedFacts(
            feature_set=feature_set,
            contract_version=contract_version(feature_set),
            recipe=chosen.name,
            target=target,
            seed=seed,
            n_train=len(known),
            bad_train=int((outcomes == 0).sum()),
            first_loan_date=known["date"].min().date().isoformat(),
            last_loan_date=known["date"].max().date().isoformat(),
            seconds_train=time.perf_counter() - started,
            slope=platt.slope,
            intercept=platt.intercept,
            threshold=threshold,
            cost_ratio=cost_ratio,
            paid_off=tuple(int(outcome) for outcome in outcomes),
            loan_ids=tuple(int(loan_id) for loan_id in known["loan_id"]),
            out_of_fold=() if scores is None else tuple(float(score) for score in scores),
        )
        (folder / _FACTS).write_text(facts.model_dump_json())
    return load_predictor(path)


def load_predictor(path: Path) -> TrainedPredictor:
    """The predictor kept in `path`. Only for folders of our own making: AutoGluon unpickles.

    Raises:
        ModelError: there is none, or it was made for other features.
    """
    from autogluon.tabular import TabularPredictor

    try:
        facts = TrainedFacts.model_validate_json((path / _FACTS).read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"no trained predictor in {path}: train one first") from error
    except ValidationError as error:
        raise ModelError(f"{path / _FACTS} is damaged: train again ({error})") from error
    if facts.contract_version != contract_version(facts.feature_set):
        raise ModelError(
            f"the predictor in {path} was made for another list of {facts.feature_set} features: "
            "train again"
        )
    with quiet.libraries():
        predictor = TabularPredictor.load(str(path / _PREDICTOR), verbosity=0)
    return TrainedPredictor(predictor, facts, path)


def _fit(table: pd.DataFrame, chosen: Recipe, folder: Path, seed: int) -> "TabularPredictor":
    from autogluon.tabular import TabularPredictor

    arguments: dict[str, Any] = {
        "hyperparameters": _hyperparameters(chosen, seed),
        "presets": chosen.presets,
        "num_gpus": 0,
    }
    if chosen.own_features:
        arguments["feature_generator"] = None
    if chosen.bag_folds:
        arguments |= {
            "num_bag_folds": chosen.bag_folds,
            "num_bag_sets": chosen.bag_sets,
            # Without Ray: folds one after the other, in this process.
            "ag_args_ensemble": {"fold_fitting_strategy": "sequential_local"},
        }
    if chosen.fixed_weights:
        arguments["aux_kwargs"] = {
            "child_cls": "SIMPLE_ENS_WEIGHTED",
            "child_hyperparameters": {"weights": list(chosen.weights)},
            # AutoGluon would drop all but the best member of each family on small data.
            "ag_args_ensemble": {"max_base_models_per_type": 0},
        }
        # A member that fails would shift the weights to others.
        arguments["raise_on_model_failure"] = True
    with quiet.libraries():
        np.random.seed(seed)  # some families draw from NumPy's global generator
        predictor = TabularPredictor(
            label=_LABEL,
            problem_type="binary",
            eval_metric="roc_auc" if chosen.calibrated else None,
            path=str(folder / _PREDICTOR),
            verbosity=0,
            learner_kwargs={"random_state": seed},
        )
        predictor.fit(table, **arguments)
    return predictor


def _hyperparameters(chosen: Recipe, seed: int) -> dict[str, list[dict[str, Any]]]:
    """The recipe as AutoGluon's `hyperparameters`, members trained in the recipe's order."""
    families: dict[str, list[dict[str, Any]]] = {}
    for position, member in enumerate(chosen.members):
        parameters = dict(member.parameters)
        arguments = dict(parameters.get("ag_args", {}))
        if member.name:
            arguments["name_suffix"] = member.name
        if chosen.fixed_weights:
            arguments["priority"] = 1000 - position
            parameters["ag_args_ensemble"] = {
                "model_random_seed": 1000 * seed + 100 * position,
                "vary_seed_across_folds": True,
            }
        parameters["ag_args"] = arguments
        families.setdefault(member.family, []).append(parameters)
    return families


def _out_of_fold_scores(predictor: "TabularPredictor", model: str | None = None) -> FloatArray:
    with quiet.libraries():
        scores = predictor.predict_proba_oof(model=model, as_multiclass=False)
    return np.asarray(scores, dtype=np.float64)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A new folder beside `path` that takes its place at the end, or is removed on any failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{path.name}-*"):
        shutil.rmtree(left, ignore_errors=True)  # of a training that was killed
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield folder
        old = folder.with_name(folder.name + "-old")
        if path.exists():
            path.rename(old)
        folder.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
