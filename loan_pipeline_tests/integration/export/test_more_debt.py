"""For no applicant does a larger loan of the same duration get a higher probability."""

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loan_pipeline.contracts.bundle import ONNX
from loan_pipeline.contracts.features import FEATURES_BY_NAME, FeatureSet
from loan_pipeline.export.export import export_onnx
from loan_pipeline.export.more_debt import TOLERANCE, check_more_debt_never_helps
from loan_pipeline.export.parity import check_parity
from loan_pipeline.load_loans import load_loans
from loan_pipeline.scoring.affordability import combine
from loan_pipeline.scoring.model import Model, open_model
from loan_pipeline.training.inputs import encoded
from loan_pipeline.training.predictor import TrainedPredictor
from loan_pipeline.training.recipes import RECIPES, Member, model_kind, recipe
from loan_pipeline.training.train import train_predictor

pytestmark = pytest.mark.slow

BERKA = Path(
    os.environ.get("LOAN_TEST_BERKA", Path(__file__).resolve().parents[4] / "shared" / "berka")
)
SAMPLE = "sample:scale=0.3"
BANK = str(BERKA) if BERKA.is_dir() else SAMPLE  # the sample stands in for the real bank
# The gate proves it of each release; these look further, at loans of any applicant.
RELEASED = [
    pytest.param(BANK, "default", "behavioural", id="default-behavioural"),
    pytest.param(BANK, "default", "application", id="default-application"),
    pytest.param(SAMPLE, "quick", "behavioural", id="quick-behavioural"),
]
AMOUNT = FEATURES_BY_NAME["amount"]


@cache
def loans_of(bank: str) -> pd.DataFrame:
    return load_loans(bank)


def test_every_recipe_with_a_graph_is_tried() -> None:
    tried = {chosen for _, chosen, _ in (param.values for param in RELEASED)}
    assert tried == {one.name for one in RECIPES if model_kind(one) == ONNX}


@pytest.mark.parametrize(("bank", "chosen", "name"), RELEASED)
def test_a_released_model_gives_no_larger_loan_a_higher_probability(
    bank: str, chosen: str, name: FeatureSet, tmp_path: Path
) -> None:
    loans = loans_of(bank)
    trained = train_predictor(loans, name, recipe(chosen), "observed", tmp_path / "model")
    graph = export_onnx(trained).SerializeToString()
    assert check_parity(trained, graph, loans).proven, "monotone trees export as any others"
    found = check_more_debt_never_helps(trained, graph, loans)
    assert found.proven, found
    assert found.rows > 50_000
    _holds_for_any_applicant(trained, graph, loans)


def _holds_for_any_applicant(trained: TrainedPredictor, graph: bytes, loans: pd.DataFrame) -> None:
    names = [feature.name for feature in trained.features]
    model = open_model("onnx", graph, names, "the model", allow_pickles=False)
    real = {f.name: encoded(loans, f).to_numpy() for f in trained.features}

    @settings(max_examples=150, deadline=None, database=None)
    @given(
        row=st.integers(0, len(loans) - 1),
        changed=st.dictionaries(st.sampled_from(names), st.floats(-2e6, 2e6), max_size=4),
        amounts=st.lists(st.floats(AMOUNT.minimum, AMOUNT.maximum), min_size=2, max_size=40),
        duration=st.integers(1, 120),
    )
    def holds(row: int, changed: dict[str, float], amounts: list[float], duration: int) -> None:
        applicant = {name: float(values[row]) for name, values in real.items()} | changed
        probabilities = _probabilities(model, applicant, np.sort(amounts), duration)
        assert np.all(np.diff(probabilities) <= TOLERANCE)

    holds()


def _probabilities(
    model: Model, applicant: dict[str, float], amounts: np.ndarray, duration: int
) -> np.ndarray:
    terms = {"amount": amounts, "duration": np.full(len(amounts), float(duration))}
    account = {name: np.full(len(amounts), value) for name, value in applicant.items()}
    values = account | combine(account, terms)
    rows = np.column_stack([values[name] for name in applicant]).astype(np.float32)
    return model.probabilities(rows)


@pytest.mark.parametrize(
    "member",
    [
        Member("LOGXT", parameters={"n_estimators": 40, "monotonic_cst": None}),
        Member("CAT", parameters={"iterations": 60}),
    ],
    ids=lambda member: member.family,
)
def test_a_model_without_the_constraint_is_found_out(member: Member, tmp_path: Path) -> None:
    loans = loans_of(SAMPLE)
    free = replace(recipe("quick"), members=(member,))
    trained = train_predictor(loans, "behavioural", free, "observed", tmp_path / "model")
    found = check_more_debt_never_helps(trained, export_onnx(trained).SerializeToString(), loans)
    assert not found.proven
    assert found.worst > 0.001
    assert found.worst_case["larger_amount"] > found.worst_case["smaller_amount"]
