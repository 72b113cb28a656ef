"""Recipes: which AutoGluon models are trained, how they are bagged, and how they are averaged.

A recipe is a value; training reads it. What was tried before choosing is in docs/lab/recipes.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Literal

from loan_pipeline.contracts.bundle import AUTOGLUON, ONNX
from loan_pipeline.contracts.features import FEATURES
from loan_pipeline.training.errors import NotExportable, PackagesMissing, UnknownRecipe

RecipeName = Literal["default", "published", "quick"]
RECIPE_NAMES: tuple[RecipeName, ...] = ("default", "published", "quick")

# AutoGluon's keys of the model families that the ONNX export can write, and our custom model's.
EXPORTABLE_FAMILIES = frozenset({"LOGXT", "XT", "RF", "LR", "GBM", "XGB", "CAT"})

# Libraries that some of AutoGluon's models need beside scikit-learn.
_LIBRARIES = {
    "CAT": "catboost",
    "FASTAI": "fastai",
    "GBM": "lightgbm",
    "NN_TORCH": "torch",
    "XGB": "xgboost",
}


# For LOGXT: the probability of "paid off" never rises with the amount at the same duration.
MORE_DEBT_NEVER_HELPS = {
    feature.name: -feature.with_amount for feature in FEATURES if feature.with_amount
}


@dataclass(frozen=True)
class Member:
    """One model of the ensemble.

    Attributes:
        family: AutoGluon's key of the model family ("XT", "GBM", …), or that of a custom model.
        name: suffix of the model's name in the leaderboard.
        weight: share in the average, before all weights are scaled to one.
        parameters: hyperparameters as AutoGluon's `fit` takes them.
    """

    family: str
    name: str = ""
    weight: float = 1.0
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """A configuration of AutoGluon.

    Attributes:
        summary: one line for people.
        members: the models, in the order of training.
        bag_folds: parts of the loans, each scored by models that learned from the others, for
            calibration and measuring; what serves then learns from all. 0: one hold-out, AutoGluon
            decides.
        bag_sets: how often the bag is repeated with other folds.
        presets: AutoGluon's presets, where the recipe takes one.
        time_limit: seconds after which AutoGluon stops training; None: no limit.
        fixed_weights: average the members by their weights; otherwise AutoGluon selects greedily.
        calibrated: Platt scaling and a chosen threshold, from out-of-fold predictions; otherwise
            AutoGluon's probabilities and 0.5.
        own_features: leave features as they are; otherwise AutoGluon's feature generator decides.
    """

    name: str
    summary: str
    members: tuple[Member, ...]
    bag_folds: int = 0
    bag_sets: int = 1
    presets: str | None = None
    time_limit: float | None = None
    fixed_weights: bool = True
    calibrated: bool = True
    own_features: bool = True

    @property
    def weights(self) -> tuple[float, ...]:
        """The members' weights, scaled to a sum of one."""
        total = sum(member.weight for member in self.members)
        return tuple(member.weight / total for member in self.members)


def recipe(name: str) -> Recipe:
    """The recipe called `name`.

    Raises:
        UnknownRecipe: there is none.
    """
    for known in RECIPES:
        if known.name == name:
            return known
    raise UnknownRecipe(f"no recipe is called {name!r}; choose from {', '.join(RECIPE_NAMES)}")


def require_installed(chosen: Recipe) -> None:
    """Refuse, before anything is trained, a recipe whose libraries are not installed.

    Raises:
        PackagesMissing: names them, and how they are installed.
    """
    needed = {_LIBRARIES[m.family] for m in chosen.members if m.family in _LIBRARIES}
    missing = sorted(name for name in needed if find_spec(name) is None)
    if missing:
        raise PackagesMissing(
            f"recipe {chosen.name} trains with {', '.join(missing)}, not installed here: "
            "`make run RECIPE=published` installs them, and so does "
            "pip install 'loan-pipeline[pipeline,published]'"
        )


def model_kind(chosen: Recipe) -> str:
    """What a release of the recipe holds: a graph, or AutoGluon's predictor where it has none."""
    families = {member.family for member in chosen.members}
    return ONNX if chosen.own_features and families <= EXPORTABLE_FAMILIES else AUTOGLUON


def require_exportable(chosen: Recipe) -> None:
    """Refuse, before hours of training, a recipe that cannot be released as a graph.

    Raises:
        NotExportable: names the families that have no ONNX form.
    """
    if model_kind(chosen) == ONNX:
        return
    families = sorted({member.family for member in chosen.members} - EXPORTABLE_FAMILIES)
    reason = f"model families {', '.join(families)}" if families else "AutoGluon's own features"
    raise NotExportable(
        f"recipe {chosen.name} cannot be released: {reason} cannot be exported to ONNX; backtest "
        "it, set LOAN_ALLOW_PICKLES=true to release and serve the predictor itself, or release "
        "one of: " + ", ".join(known.name for known in RECIPES if model_kind(known) == ONNX)
    )


def _extra_trees(name: str, weight: float = 1.0, **parameters: Any) -> Member:
    defaults: dict[str, Any] = {
        "n_estimators": 60,
        "class_weight": "balanced",
        # Small trees rank as well, and their exact reasons cost a tenth of a millisecond.
        "max_depth": 7,
        "max_leaf_nodes": 20,
        # With few bad loans, each tree learns from all of them; folds show what it is worth.
        "bootstrap": False,
        "monotonic_cst": MORE_DEBT_NEVER_HELPS,
        "ag_args_ensemble": {"use_child_oof": False},
    }
    return Member("LOGXT", name, weight, {"criterion": "entropy", **defaults, **parameters})


DEFAULT = Recipe(
    "default",
    "an average of class-weighted extra trees that draw their cuts on a logarithmic scale",
    members=(
        _extra_trees("Few", max_features="sqrt"),
        _extra_trees("Third", max_features=0.3),
        _extra_trees("Half", max_features=0.5),
    ),
    bag_folds=5,
    bag_sets=3,
)

QUICK = Recipe(
    "quick",
    "two small forests, for tests and first looks",
    members=(
        _extra_trees("Few", weight=2.0, max_features="sqrt", n_estimators=30),
        _extra_trees("Half", weight=1.0, max_features=0.5, n_estimators=30),
    ),
    bag_folds=3,
)


def _forests(family: str) -> tuple[Member, ...]:
    """The write-up's forests; AutoGluon itself leaves MSE out of classification."""
    classes, numbers = ["binary", "multiclass"], ["regression", "quantile"]
    variants = (("gini", "Gini", classes), ("entropy", "Entr", classes))
    return tuple(
        Member(
            family,
            name,
            parameters={"criterion": criterion, "ag_args": {"problem_types": problem_types}},
        )
        for criterion, name, problem_types in (*variants, ("squared_error", "MSE", numbers))
    )


PUBLISHED = Recipe(
    "published",
    "the hyperparameters and the preset of the published project, unchanged",
    members=(
        Member("NN_TORCH"),
        Member("CAT"),
        Member("FASTAI"),
        *_forests("RF"),
        *_forests("XT"),
        Member("KNN", "Unif", parameters={"weights": "uniform"}),
        Member("KNN", "Dist", parameters={"weights": "distance"}),
    ),
    presets="optimize_for_deployment",
    fixed_weights=False,
    calibrated=False,
    own_features=False,
)

RECIPES: tuple[Recipe, ...] = (DEFAULT, PUBLISHED, QUICK)
