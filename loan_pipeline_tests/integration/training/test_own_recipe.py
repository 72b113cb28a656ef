"""A recipe of the user's own: refused before anything is trained, or trained as it says."""

from pathlib import Path
from typing import Any

import pytest

from loan_pipeline.evaluation.evaluate import out_of_fold
from loan_pipeline.export.export import export_onnx
from loan_pipeline.export.more_debt import check_more_debt_never_helps
from loan_pipeline.export.parity import check_parity
from loan_pipeline.training.errors import NotExportable, UnknownRecipe, UnsuitableRecipe
from loan_pipeline.training.own_recipe import chosen_recipe, own_recipe, read_hyperparameters
from loan_pipeline.training.recipes import DEFAULT, require_exportable
from loan_pipeline.training.train import train_predictor
from loan_pipeline_tests.helpers.loan_tables import loan_table

pytestmark = pytest.mark.slow  # AutoGluon takes seconds to import

LOANS = loan_table(240)
EXAMPLE = """
GBM:
  - {num_boost_round: 40, ag_args: {name_suffix: Short}}
LOGXT: {n_estimators: 40, max_depth: 6, bootstrap: false}
"""


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ({"LGBM": {}}, "'LGBM' is no key of a model; known are .*GBM.*LOGXT"),
        ({"XT": {"n_trees": 5}}, "XT has no parameter n_trees; it takes .*n_estimators"),
        ({"LOGXT": {"depth": 5}}, "LOGXT has no parameter depth"),
        ({"CAT": "fast"}, "the parameters of CAT must be a dictionary"),
        ({"GBM": [{}, 7]}, "the parameters of GBM must be a dictionary"),
        ({}, "needs hyperparameters or a preset"),
    ],
)
def test_what_autogluon_would_not_take_is_named(
    hyperparameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(UnsuitableRecipe, match=message):
        own_recipe(hyperparameters)


def test_an_unknown_preset_and_a_limit_that_is_none_are_refused() -> None:
    with pytest.raises(UnsuitableRecipe, match=r"no preset 'finest'; it has .*best_quality"):
        own_recipe(presets="finest")
    for limit in (0, -1):
        with pytest.raises(UnsuitableRecipe, match="longer than 0 seconds"):
            chosen_recipe("default", time_limit=limit)
    with pytest.raises(UnknownRecipe):
        chosen_recipe("fancy")
    assert chosen_recipe("default") == DEFAULT
    assert chosen_recipe("default", time_limit=60).time_limit == 60


@pytest.mark.parametrize(("name", "text"), [("own.yaml", "GBM: [}"), ("own.json", "GBM: {}")])
def test_a_file_that_is_damaged_is_named(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UnsuitableRecipe, match=f"{name} cannot be read"):
        read_hyperparameters(tmp_path / name)
    (tmp_path / name).write_text("[1]")
    with pytest.raises(UnsuitableRecipe, match="must hold a dictionary"):
        read_hyperparameters(tmp_path / name)
    with pytest.raises(UnsuitableRecipe, match="nowhere"):
        read_hyperparameters(tmp_path / "nowhere.json")


def test_own_hyperparameters_are_trained_measured_and_exported(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(EXAMPLE)
    chosen = own_recipe(read_hyperparameters(tmp_path / "own.yaml"), time_limit=300)
    require_exportable(chosen)
    trained = train_predictor(LOANS, "application", chosen, "observed", tmp_path / "model")
    assert trained.recipe == chosen
    names = trained.predictor.model_names()
    assert any(name.startswith("LightGBMShort") for name in names)
    assert any(name.startswith("LogScaleExtraTrees") for name in names)
    assert out_of_fold(trained) is not None
    graph = export_onnx(trained).SerializeToString()
    assert check_parity(trained, graph, LOANS).proven


def test_own_extra_trees_on_a_logarithmic_scale_are_monotone_without_being_asked(
    tmp_path: Path,
) -> None:
    chosen = own_recipe({"LOGXT": {"n_estimators": 40}})
    trained = train_predictor(LOANS, "behavioural", chosen, "observed", tmp_path / "model")
    graph = export_onnx(trained).SerializeToString()
    assert check_more_debt_never_helps(trained, graph, LOANS).proven


def test_a_preset_is_trained_as_autogluon_says_and_not_exported(tmp_path: Path) -> None:
    chosen = own_recipe({"RF": {"n_estimators": 20}}, presets="medium_quality")
    with pytest.raises(NotExportable, match=r"recipe own cannot be released: AutoGluon's own"):
        require_exportable(chosen)
    trained = train_predictor(LOANS, "application", chosen, "observed", tmp_path / "model")
    assert trained.facts.threshold == 0.5
    assert out_of_fold(trained) is None
