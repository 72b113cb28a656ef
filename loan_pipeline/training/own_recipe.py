"""A recipe of the user's own: AutoGluon's hyperparameters, preset and time limit, all checked."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from loan_pipeline.training.errors import UnsuitableRecipe
from loan_pipeline.training.recipes import MORE_DEBT_NEVER_HELPS, Member, Recipe, recipe

OWN = "own"

# Without a preset the models are bagged, so that they can be calibrated and measured out of fold.
_BAG_FOLDS = 5
_LOGXT = "LOGXT"


def read_hyperparameters(path: Path) -> dict[str, Any]:
    """AutoGluon's dictionary of hyperparameters from a JSON or YAML file.

    Raises:
        UnsuitableRecipe: the file cannot be read, or holds no dictionary.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        raise UnsuitableRecipe(f"{path} cannot be read as JSON or YAML: {error}") from error
    if not isinstance(found, dict):
        raise UnsuitableRecipe(
            f"{path} must hold a dictionary of AutoGluon's model keys, not {type(found).__name__}"
        )
    return found


def chosen_recipe(
    name: str,
    hyperparameters: Mapping[str, Any] | None = None,
    presets: str | None = None,
    time_limit: float | None = None,
) -> Recipe:
    """The recipe that was asked for: one of the user's own where anything of it is given.

    Raises:
        UnknownRecipe: no recipe is called `name`.
        UnsuitableRecipe: as of `own_recipe`.
    """
    if hyperparameters or presets:
        return own_recipe(hyperparameters, presets, time_limit)
    return replace(recipe(name), time_limit=_checked_limit(time_limit))


def own_recipe(
    hyperparameters: Mapping[str, Any] | None = None,
    presets: str | None = None,
    time_limit: float | None = None,
) -> Recipe:
    """A recipe from what AutoGluon's `fit` takes.

    Without a preset the models see the contract's features as they are, are bagged in five folds,
    weighted by AutoGluon and calibrated; such a recipe is released as a graph where every family
    can be exported. With a preset everything but the features' choice is AutoGluon's.

    Args:
        hyperparameters: by AutoGluon's keys ("GBM", "CAT", …) or `LOGXT`, our extra trees on a
            logarithmic scale: the parameters of one model, or a list of such.
        presets: the name of AutoGluon's preset.
        time_limit: seconds for the training.

    Raises:
        UnsuitableRecipe: nothing was given, or a key, parameter, preset or limit is not known.
    """
    if not hyperparameters and not presets:
        raise UnsuitableRecipe("a recipe of one's own needs hyperparameters or a preset")
    if presets:
        _require_preset(presets)
    members = tuple(
        Member(family, parameters=_checked(family, parameters))
        for family, models in (hyperparameters or {}).items()
        for parameters in (models if isinstance(models, list) else [models])
    )
    return Recipe(
        OWN,
        "hyperparameters, preset and time limit of the user's own",
        members,
        bag_folds=0 if presets else _BAG_FOLDS,
        presets=presets,
        time_limit=_checked_limit(time_limit),
        fixed_weights=False,
        calibrated=not presets,
        own_features=not presets,
    )


def _checked(family: str, parameters: Any) -> dict[str, Any]:
    known = _families()
    if family not in known:
        raise UnsuitableRecipe(
            f"{family!r} is no key of a model; known are {', '.join(sorted(known))}"
        )
    if not isinstance(parameters, Mapping):
        raise UnsuitableRecipe(
            f"the parameters of {family} must be a dictionary, or a list of dictionaries, not "
            f"{parameters!r}"
        )
    if allowed := _parameters_of(family):
        unknown = {
            name
            for name in parameters
            if name not in allowed and not name.startswith(("ag_args", "ag.", "use_daal"))
        }
        if unknown:
            raise UnsuitableRecipe(
                f"{family} has no parameter {', '.join(sorted(unknown))}; it takes "
                + ", ".join(sorted(allowed))
            )
    own: dict[str, Any] = {"monotonic_cst": MORE_DEBT_NEVER_HELPS} if family == _LOGXT else {}
    if parameters.get("bootstrap") is False:  # then trees have no loans that they did not see
        own["ag_args_ensemble"] = {"use_child_oof": False}
    return {**own, **parameters}


def _checked_limit(seconds: float | None) -> float | None:
    if seconds is not None and seconds <= 0:
        raise UnsuitableRecipe(f"a time limit must be longer than 0 seconds, not {seconds}")
    return seconds


def _families() -> set[str]:
    from autogluon.tabular.registry import ag_model_registry

    return {*ag_model_registry.keys, _LOGXT}


def _parameters_of(family: str) -> set[str]:
    """What scikit-learn's models take; other libraries accept any name, and are not checked."""
    from sklearn import ensemble, neighbors

    models = {
        _LOGXT: ensemble.ExtraTreesClassifier,
        "XT": ensemble.ExtraTreesClassifier,
        "RF": ensemble.RandomForestClassifier,
        "KNN": neighbors.KNeighborsClassifier,
    }
    return set(inspect.signature(models[family]).parameters) if family in models else set()


def _require_preset(presets: str) -> None:
    from autogluon.tabular.configs.presets_configs import (
        tabular_presets_alias,
        tabular_presets_dict,
    )

    known = {*tabular_presets_dict, *tabular_presets_alias}
    if presets not in known:
        raise UnsuitableRecipe(
            f"AutoGluon has no preset {presets!r}; it has {', '.join(sorted(known))}"
        )
