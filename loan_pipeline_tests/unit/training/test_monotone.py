import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from loan_pipeline.contracts.features import APPLICATION_FEATURES
from loan_pipeline.training.inputs import FloatArray
from loan_pipeline.training.monotone import falling_with_amount

KNOWN = (1_000.0, 1_000_000.0)
NAMES = [feature.name for feature in APPLICATION_FEATURES]


def _waves(inputs: pd.DataFrame) -> FloatArray:
    """A model of which larger loans get better answers here and there."""
    answers: FloatArray = (
        0.5 + 0.4 * np.sin(np.log(inputs["amount"]) * 7 + inputs["duration"])
    ).to_numpy(dtype=np.float64)
    return answers


def _falling(inputs: pd.DataFrame) -> FloatArray:
    answers: FloatArray = (1 / (1 + inputs["payments"] / 5_000)).to_numpy(dtype=np.float64)
    return answers


def _loans(amounts: list[float], duration: float) -> pd.DataFrame:
    loans = pd.DataFrame(1.0, index=range(len(amounts)), columns=NAMES)
    loans["amount"], loans["duration"] = amounts, duration
    loans["payments"] = loans["amount"] / loans["duration"]
    return loans.astype("float32")


@given(
    st.lists(st.floats(1, 100_000_000), min_size=2, max_size=30),
    st.sampled_from([1.0, 12.0, 60.0]),
)
def test_no_larger_amount_gets_a_higher_probability(amounts: list[float], duration: float) -> None:
    answers = falling_with_amount(_waves, _loans(sorted(amounts), duration), KNOWN)
    assert np.all(np.diff(answers) <= 1e-9)
    assert np.all((answers >= 0.1 - 1e-6) & (answers <= 0.9 + 1e-6))


def test_a_model_that_falls_by_itself_answers_nearly_as_before() -> None:
    loans = _loans([1_000.0, 5_000.0, 96_000.0, 333_333.0, 1_000_000.0], 24)
    assert np.abs(falling_with_amount(_falling, loans, KNOWN) - _falling(loans)).max() < 0.005


def test_no_loans_get_no_answers() -> None:
    assert falling_with_amount(_waves, _loans([], 12), KNOWN).shape == (0,)
