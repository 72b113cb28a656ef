import pytest

from loan_pipeline.training import recipes
from loan_pipeline.training.errors import NotExportable, PackagesMissing, UnknownRecipe
from loan_pipeline.training.recipes import (
    EXPORTABLE_FAMILIES,
    RECIPE_NAMES,
    RECIPES,
    recipe,
    require_exportable,
    require_installed,
)
from loan_pipeline.training.train import hyperparameters

CLASSES, NUMBERS = ["binary", "multiclass"], ["regression", "quantile"]
FORESTS = [
    {"criterion": "gini", "ag_args": {"name_suffix": "Gini", "problem_types": CLASSES}},
    {"criterion": "entropy", "ag_args": {"name_suffix": "Entr", "problem_types": CLASSES}},
    {"criterion": "squared_error", "ag_args": {"name_suffix": "MSE", "problem_types": NUMBERS}},
]


def test_the_published_recipe_is_the_write_ups_to_the_letter():
    published = recipe("published")
    assert published.presets == "optimize_for_deployment"
    assert hyperparameters(published, seed=0) == {
        "NN_TORCH": [{}],
        "CAT": [{}],
        "FASTAI": [{}],
        "RF": FORESTS,
        "XT": FORESTS,
        "KNN": [
            {"weights": "uniform", "ag_args": {"name_suffix": "Unif"}},
            {"weights": "distance", "ag_args": {"name_suffix": "Dist"}},
        ],
    }


def test_every_recipe_is_found_by_its_name_and_no_other():
    assert [recipe(name).name for name in RECIPE_NAMES] == list(RECIPE_NAMES)
    with pytest.raises(UnknownRecipe, match=r"'fancy'.*default, published, quick"):
        recipe("fancy")


def test_weights_add_up_to_one():
    for known in RECIPES:
        assert sum(known.weights) == pytest.approx(1)


def test_the_default_and_the_quick_recipe_can_be_released():
    for name in ("default", "quick"):
        require_exportable(recipe(name))
        assert {member.family for member in recipe(name).members} <= EXPORTABLE_FAMILIES


def test_a_family_without_onnx_form_is_named_before_training():
    with pytest.raises(NotExportable, match=r"published.*FASTAI, KNN, NN_TORCH.*default, quick"):
        require_exportable(recipe("published"))


def test_no_two_members_train_with_the_same_seed():
    parameters = [
        one for family in hyperparameters(recipe("default"), seed=1).values() for one in family
    ]
    seeds = [one["ag_args_ensemble"]["model_random_seed"] for one in parameters]
    assert len(set(seeds)) == len(seeds)


def test_a_recipe_without_its_libraries_says_how_to_install_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    absent = {"torch", "fastai"}
    monkeypatch.setattr(recipes, "find_spec", lambda name: None if name in absent else object())
    with pytest.raises(PackagesMissing, match=r"fastai, torch, not.*make run RECIPE=published"):
        require_installed(recipe("published"))
    require_installed(recipe("default"))
