"""What a caller may ask: the account request and the application request, as pydantic models.

Both are made from the feature contract; an application is asked for what the model in use was made
with, no more. Validation, the API's schemas and the forms come from them; the syntax of JSON, CSV
and forms is the web app's.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model
from pydantic_core import PydanticCustomError

from loan_pipeline.contracts.features import (
    APPLICATION_FEATURES,
    FEATURES_BY_NAME,
    Feature,
)
from loan_pipeline.errors import LoanPipelineError

ACCOUNT_ID = Feature(
    "account_id", "account", "", "The number of the applicant's account.", "account", 0, 2**63 - 1
)
ACCOUNT_REQUEST = (ACCOUNT_ID, FEATURES_BY_NAME["amount"], FEATURES_BY_NAME["duration"])
ACCOUNT_FIELDS = tuple(feature.name for feature in ACCOUNT_REQUEST)
APPLICATION_FIELDS = tuple(feature.name for feature in APPLICATION_FEATURES)
_PAYMENTS = FEATURES_BY_NAME["payments"]
_FEATURES = FEATURES_BY_NAME | {ACCOUNT_ID.name: ACCOUNT_ID}
_NOT_USED = "is not used: the model was made without it, leave it out"
_NOT_A_FIELD = "is not a field of this request"
_MOST_UNKNOWN_FIELDS, _LONGEST_NAME = 20, 80  # of those that an answer repeats


@dataclass(frozen=True)
class Problem:
    """What is wrong with one field, in words that follow its name."""

    field: str
    message: str


class InputRejected(LoanPipelineError):
    """Values that cannot be scored.

    Attributes:
        problems: one per field at fault.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.field} {p.message}" for p in self.problems))


class UnknownAccount(LoanPipelineError):
    """An account that the released bundle does not know."""


def _whole(value: object) -> object:
    """Take 1787.0 for 1787, and nothing but numbers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError("whole_number", "not a whole number")
    return value


def _definition(feature: Feature) -> tuple[Any, Any]:
    """A feature's type and default, as pydantic takes them."""
    words = feature.definition
    if feature.null_means is not None:
        words += f" Null means: {feature.null_means}."
    if feature is _PAYMENTS:
        words += " It may be left out."
    if feature.unit and not feature.codes:
        words += f" Unit: {feature.unit}."
    described: dict[str, Any] = {"title": feature.label.capitalize(), "description": words}
    if feature.codes:
        return Literal[feature.codes], Field(**described)
    bounds: dict[str, Any] = {"ge": feature.minimum, "le": feature.maximum}
    if feature is ACCOUNT_ID:
        return Annotated[int, Field(**bounds), BeforeValidator(_whole)], Field(**described)
    if feature.unit == "months":
        months = Annotated[float, Field(strict=True, multiple_of=1, **bounds)]
        return months, Field(json_schema_extra={"type": "integer"}, **described)
    number: Any = Annotated[float, Field(strict=True, **bounds)]
    if feature.null_means is not None or feature is _PAYMENTS:
        return number | None, Field(None, **described)
    return number, Field(**described)


def _request(name: str, features: Iterable[Feature]) -> type[BaseModel]:
    fields: dict[str, Any] = {feature.name: _definition(feature) for feature in features}
    return create_model(name, __config__=ConfigDict(extra="forbid", frozen=True), **fields)


AccountRequest = _request("AccountRequest", ACCOUNT_REQUEST)


@cache
def application_request(names: tuple[str, ...] = APPLICATION_FIELDS) -> type[BaseModel]:
    """The application request for a model with those of the application's features."""
    return _request("ApplicationRequest", application_features(names))


def application_features(names: Sequence[str]) -> tuple[Feature, ...]:
    """The application's features that are named, in the contract's order."""
    return tuple(feature for feature in APPLICATION_FEATURES if feature.name in names)


def read_account_request(values: Mapping[str, object]) -> tuple[int, float, float]:
    """Check `account_id`, `amount` and `duration`.

    Returns:
        The account's number, the amount in CZK and the duration in months.

    Raises:
        InputRejected: a field is missing, unknown, of the wrong kind or out of bounds.
    """
    fields = _validated(AccountRequest, values)
    return fields["account_id"], fields["amount"], fields["duration"]


def read_application(
    values: Mapping[str, object], names: tuple[str, ...] = APPLICATION_FIELDS
) -> dict[str, float]:
    """Check the application's fields; `payments` may be left out, it follows from the terms.

    Args:
        values: the fields.
        names: the features that the model was made with; others are refused, so that nothing is
            asked or recorded that the bank left out.

    Returns:
        The model's numbers by feature; null is NaN.

    Raises:
        InputRejected: a field is missing, unknown, of the wrong kind or out of bounds.
    """
    fields = _validated(application_request(names), values)
    if "payments" in fields and fields["payments"] is None:
        fields["payments"] = fields["amount"] / fields["duration"]
    for feature in application_features(names):
        value = fields[feature.name]
        if feature.codes:
            fields[feature.name] = feature.encode(value)
        elif value is None:
            fields[feature.name] = math.nan
    return fields


def _validated(request: type[BaseModel], values: Mapping[str, object]) -> dict[str, Any]:
    try:
        return request.model_validate(values).model_dump()
    except ValidationError as error:
        raise InputRejected(_problems(error, values)) from None


def _problems(error: ValidationError, values: Mapping[str, object]) -> Iterable[Problem]:
    unknown = 0
    for found in error.errors(include_url=False, include_context=False):
        name = str(found["loc"][0])
        if found["type"] != "extra_forbidden":
            yield Problem(name, _message(_FEATURES[name], found["type"], found["input"]))
        elif unknown < _MOST_UNKNOWN_FIELDS:
            unknown += 1
            left_out = name in APPLICATION_FIELDS and ACCOUNT_ID.name not in values
            yield Problem(name[:_LONGEST_NAME], _NOT_USED if left_out else _NOT_A_FIELD)


def _message(feature: Feature, kind: str, value: object) -> str:
    if kind == "missing" or value is None:
        return "is missing"
    if feature is ACCOUNT_ID:
        return "must be a whole number, 0 or more"
    if feature.codes:
        return f"must be one of {', '.join(feature.codes)}"
    if kind == "multiple_of":
        return f"must be a whole number of {feature.unit}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"must be between {feature.minimum:,.0f} and {feature.maximum:,.0f}"
    return "must be a number"
