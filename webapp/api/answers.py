"""What the API answers, as data: the one definition behind the answers and their description."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict  # pydantic wants it so below Python 3.12

from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.scoring.refusal import MOST_REASONS
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
class ReferralAnswer(TypedDict):
    """What of the request lies beyond the loans that the model learned from."""

    feature: Annotated[str, Field(description="A feature's name, or a joint limit's.")]
    value: Annotated[float | None, Field(description="Null where the request has none.")]
    known_minimum: float
    known_maximum: float
    text: Annotated[str, Field(description="The same in words.")]


@_exact
class PrincipalReasonAnswer(TypedDict):
    """A reason for a refusal, as a notice of adverse action names it."""

    code: Annotated[str, Field(description="Stable; the feature catalogue lists them.")]
    feature: Annotated[str, Field(description="The feature's name in the contract.")]
    value: Annotated[float | str | None, Field(description="Null where the value is missing.")]
    text: Annotated[str, Field(description="Reason and value in words.")]


@_exact
class LineAnswer(TypedDict):
    """An answer without reasons, as batches give it."""

    prediction: Literal["paid_off", "not_paid_off"]
    probability_paid_off: _Probability
    threshold: _Probability
    feature_set: FeatureSet
    model_version: str
    expected_loss: Annotated[
        float,
        Field(
            ge=0,
            description="(1 - probability) times amount times the loss given default. Unit: CZK.",
        ),
    ]
    referral: Annotated[
        list[ReferralAnswer],
        Field(description="Why a person must decide; empty where the model knows such loans."),
    ]


@_exact
class PredictionAnswer(LineAnswer):
    """An answer with its reasons, the strongest first."""

    baseline_probability_paid_off: Annotated[
        _Probability, Field(description="The reference loan's.")
    ]
    reasons: list[ReasonAnswer]
    principal_reasons: Annotated[
        list[PrincipalReasonAnswer],
        Field(
            max_length=MOST_REASONS,
            description="Of not_paid_off: what speaks against the applicant, strongest first.",
        ),
    ]


def line_answer(prediction: Prediction) -> LineAnswer:
    """A prediction as batches answer it."""
    return {
        "prediction": prediction.prediction,
        "probability_paid_off": round(prediction.probability_paid_off, 6),
        "threshold": prediction.threshold,
        "feature_set": prediction.feature_set,
        "model_version": prediction.model_version,
        "expected_loss": prediction.expected_loss,
        "referral": [
            {
                "feature": one.feature,
                "value": one.value,
                "known_minimum": one.known_minimum,
                "known_maximum": one.known_maximum,
                "text": one.text,
            }
            for one in prediction.referral
        ],
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
        "principal_reasons": [
            {
                "code": reason.code,
                "feature": reason.feature,
                "value": reason.value,
                "text": reason.text,
            }
            for reason in prediction.principal_reasons
        ],
    }
