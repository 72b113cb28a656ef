"""Training: a table of loans and a recipe become a predictor in a folder.

AutoGluon does the learning; here are the seeds, the fixed averages, the calibration, and the rule
that an interrupted training leaves the last good predictor in place.
"""

import logging
import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loan_pipeline.contracts.features import FeatureSet, contract_version
from loan_pipeline.contracts.features import feature_set as features_of
from loan_pipeline.progress import track
from loan_pipeline.training.atomic_folder import new_folder
from loan_pipeline.training.autogluon import tabular_predictor
from loan_pipeline.training.calibration import Platt, calibrate
from loan_pipeline.training.errors import TrainingFailed, UnsuitableLoans
from loan_pipeline.training.inputs import (
    Target,
    model_inputs,
    reference_loan,
    require_enough,
    with_outcome,
)
from loan_pipeline.training.predictor import (
    FACTS_FILE,
    PREDICTOR_FOLDER,
    TrainedFacts,
    TrainedPredictor,
    load_predictor,
    out_of_fold_scores,
)
from loan_pipeline.training.recipes import Recipe, require_installed
from loan_pipeline.training.silence import silence_libraries

if TYPE_CHECKING:
    from autogluon.tabular import TabularPredictor

_LABEL = "paid_off"
# Made from tables that a bank may do without: it has no permanent orders, say.
_OPTIONAL = frozenset({"order_amount_mean_czk"})

logger = logging.getLogger("loan_pipeline")


def train_predictor(
    loans: pd.DataFrame,
    feature_set: FeatureSet,
    chosen: Recipe,
    target: Target,
    path: Path,
    *,
    seed: int = 0,
    cost_ratio: float | None = None,
    excluded: Collection[str] = (),
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
        excluded: features of the set that the model is not to see.

    Raises:
        PackagesMissing: the recipe's libraries are not installed.
        UnsuitableExclusion: a feature cannot be left out, or there is none of the name.
        UnsuitableLoans: too few loans, one outcome only, a feature missing or empty.
        TrainingFailed: AutoGluon failed, or the disk is full; `path` is as it was.
    """
    require_installed(chosen)
    known = with_outcome(loans, target)
    require_enough(known, f"training on the target {target}")
    inputs = model_inputs(known, feature_set, excluded)
    _require_values(inputs, feature_set)
    started = time.perf_counter()
    try:
        with new_folder(path) as folder, track(f"Training {feature_set} ({chosen.name})"):
            table = inputs.assign(**{_LABEL: known[_LABEL]})
            predictor = _fit(table, chosen, folder, seed)
            scores = out_of_fold_scores(predictor) if chosen.bag_folds else None
            platt, threshold = Platt(), 0.5
            if scores is not None and chosen.calibrated:
                platt, threshold = calibrate(scores, known[_LABEL].to_numpy(), cost_ratio)
            facts = TrainedFacts(
                feature_set=feature_set,
                excluded=tuple(sorted(excluded)),
                contract_version=contract_version(feature_set, excluded),
                recipe=chosen.name,
                definition=chosen,
                target=target,
                seed=seed,
                n_train=len(known),
                bad_train=int((known[_LABEL] == 0).sum()),
                first_loan_date=known["date"].min().date().isoformat(),
                last_loan_date=known["date"].max().date().isoformat(),
                seconds_train=time.perf_counter() - started,
                slope=platt.slope,
                intercept=platt.intercept,
                threshold=threshold,
                cost_ratio=cost_ratio,
                reference=reference_loan(
                    inputs[known[_LABEL] == 1], features_of(feature_set, excluded)
                ),
                amounts=(float(known["amount"].min()), float(known["amount"].max())),
                loan_ids=tuple(known["loan_id"].tolist()),
                paid_off=tuple(known[_LABEL].tolist()),
                out_of_fold=() if scores is None else tuple(scores.tolist()),
            )
            (folder / FACTS_FILE).write_text(facts.model_dump_json())
    except Exception as error:  # AutoGluon's are of every kind
        raise TrainingFailed(
            f"training the {feature_set} predictor by recipe {chosen.name} on {len(known)} loans "
            f"failed: {type(error).__name__}: {error}. {path} is as it was before"
        ) from error
    return load_predictor(path)


def _require_values(inputs: pd.DataFrame, feature_set: FeatureSet) -> None:
    """Refuse a feature that no loan has; one that all loans share the models ignore."""
    empty = [
        str(name) for name in inputs.columns if inputs[name].isna().all() and name not in _OPTIONAL
    ]
    if empty:
        raise UnsuitableLoans(
            f"of the {feature_set} features, no loan has a value of {', '.join(empty)}: the "
            "table of loans is damaged, or its period is too short; materialise loan_features "
            "again, or take a longer period"
        )
    constant = [str(name) for name in inputs.columns if inputs[name].nunique(dropna=False) == 1]
    if constant:
        logger.warning(
            "all %d loans have the same %s: the %s model learns nothing from it",
            len(inputs),
            ", ".join(constant),
            feature_set,
        )


def _fit(table: pd.DataFrame, chosen: Recipe, folder: Path, seed: int) -> "TabularPredictor":
    arguments: dict[str, Any] = {
        "presets": chosen.presets,
        "time_limit": chosen.time_limit,
        "num_gpus": 0,
    }
    if chosen.members:  # otherwise the preset's
        arguments["hyperparameters"] = _with_custom_models(hyperparameters(chosen, seed))
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
    with silence_libraries():
        np.random.seed(seed)  # some models draw from NumPy's global generator
        predictor = tabular_predictor()(
            label=_LABEL,
            problem_type="binary",
            eval_metric="roc_auc" if chosen.calibrated else None,
            path=str(folder / PREDICTOR_FOLDER),
            verbosity=0,
            learner_kwargs={"random_state": seed},
        )
        predictor.fit(table, **arguments)
        if chosen.bag_folds:
            predictor.refit_full(set_best_to_refit_full=True)
    return predictor


def hyperparameters(chosen: Recipe, seed: int) -> dict[str, list[dict[str, Any]]]:
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
                **parameters.get("ag_args_ensemble", {}),
                "model_random_seed": 1000 * seed + 100 * position,
                "vary_seed_across_folds": True,
            }
        if arguments:
            parameters["ag_args"] = arguments
        families.setdefault(member.family, []).append(parameters)
    return families


def _with_custom_models(parameters: dict[str, list[dict[str, Any]]]) -> dict[Any, Any]:
    """The same, with classes in place of the keys of our custom models, as AutoGluon expects."""
    from loan_pipeline.training.custom_models import LogScaleExtraTrees

    own = {LogScaleExtraTrees.ag_key: LogScaleExtraTrees}
    return {own.get(family, family): members for family, members in parameters.items()}
