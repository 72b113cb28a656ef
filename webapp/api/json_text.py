"""JSON in and out: repeated fields are refused, answers have the API's shape."""

import json
from typing import Any

from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.scoring.scorer import Prediction


class NotJson(LoanPipelineError):
    """A text that is not JSON, or ambiguous."""


def parse_json(text: bytes) -> Any:
    """Read UTF-8 JSON in which no field is repeated.

    Raises:
        NotJson: it is something else.
    """
    try:
        return _decoder.decode(text.decode())
    except UnicodeDecodeError:
        raise NotJson("is not UTF-8") from None
    except RecursionError:
        raise NotJson("is nested too deeply") from None
    except ValueError as error:
        raise NotJson(f"is not JSON: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is given more than once")
    return found


_decoder = json.JSONDecoder(object_pairs_hook=_object)


def as_json(prediction: Prediction) -> dict[str, Any]:
    """An answer in the API's shape; with `reasons` where they were computed."""
    answer: dict[str, Any] = {
        "prediction": prediction.prediction,
        "probability_paid_off": round(prediction.probability_paid_off, 6),
        "threshold": prediction.threshold,
        "feature_set": prediction.feature_set,
        "model_version": prediction.model_version,
    }
    if prediction.baseline_probability_paid_off is not None:
        answer["baseline_probability_paid_off"] = round(prediction.baseline_probability_paid_off, 6)
        # Not as they are: orjson takes five times as long over dataclasses.
        answer["reasons"] = [
            {
                "feature": reason.feature,
                "value": reason.value,
                "contribution": reason.contribution,
            }
            for reason in prediction.reasons
        ]
    return answer
