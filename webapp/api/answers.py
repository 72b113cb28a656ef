"""What the API answers, as data: the one definition behind the answers and their description."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict  # pydantic wants it so below Python 3.12

from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.scoring.scorer import Prediction

_Probability = Annotated[float, Field(ge=0, le=1)]
_exact = with_config(ConfigDict(extra="forbid"))


@_exact
class ReasonAnswer(TypedDict):
    """One feature's part in a score."""

    feature: Annotated[str, Field(description="The feature's name in the contract.")]
    value: Annotated[float | str | None, Field(description="Null where the value is missing.")]
    contribution: Annotated[
        float, Field(description="How far the feature moves the probability from the baseline.")
    ]


@_exact
class LineAnswer(TypedDict):
    """An answer without reasons, as batches give it."""

    prediction: Literal["paid_off", "not_paid_off"]
    probability_paid_off: _Probability
    threshold: _Probability
    feature_set: FeatureSet
    model_version: str


@_exact
class PredictionAnswer(LineAnswer):
    """An answer with its reasons, the strongest first."""

    baseline_probability_paid_off: Annotated[
        _Probability, Field(description="The reference loan's.")
    ]
    reasons: list[ReasonAnswer]


def line_answer(prediction: Prediction) -> LineAnswer:
    """A prediction as batches answer it."""
    return {
        "prediction": prediction.prediction,
        "probability_paid_off": round(prediction.probability_paid_off, 6),
        "threshold": prediction.threshold,
        "feature_set": prediction.feature_set,
        "model_version": prediction.model_version,
    }


def prediction_answer(prediction: Prediction) -> PredictionAnswer:
    """A prediction that was scored with its reasons."""
    baseline = prediction.baseline_probability_paid_off
    assert baseline is not None  # noqa: S101 - `Scorer.explain` gives one
    return {
        **line_answer(prediction),
        "baseline_probability_paid_off": round(baseline, 6),
        "reasons": [
            {
                "feature": reason.feature,
                "value": reason.value,
                "contribution": reason.contribution,
            }
            for reason in prediction.reasons
        ],
    }
