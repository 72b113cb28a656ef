"""What a caller sends, checked against the contract: every problem at once, by field.

Only values and their bounds; the syntax of JSON, CSV and forms is the web app's.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from loan_pipeline.contracts.features import APPLICATION_FEATURES, FEATURES_BY_NAME, Feature
from loan_pipeline.errors import LoanPipelineError

LARGEST_ACCOUNT_ID = 2**63 - 1
ACCOUNT_FIELDS = ("account_id", "amount", "duration")
_ACCOUNT_FIELDS = frozenset(ACCOUNT_FIELDS)
_APPLICATION_FIELDS = frozenset(feature.name for feature in APPLICATION_FEATURES)
_PAYMENTS = FEATURES_BY_NAME["payments"]


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


def read_account_request(values: Mapping[str, object]) -> tuple[int, float, float]:
    """Check `account_id`, `amount` and `duration`.

    Returns:
        The account's number, the amount in CZK and the duration in months.

    Raises:
        InputRejected: a field is missing, unknown, of the wrong kind or out of bounds.
    """
    problems = _unknown_fields(values, _ACCOUNT_FIELDS)
    account_id = values.get("account_id")
    if account_id is None:
        problems.append(Problem("account_id", "is missing"))
    elif (
        isinstance(account_id, bool)
        or not isinstance(account_id, (int, float))
        or account_id != account_id // 1
        or not 0 <= account_id <= LARGEST_ACCOUNT_ID
    ):
        problems.append(Problem("account_id", "must be a whole number, 0 or more"))
    numbers = {
        name: _read(FEATURES_BY_NAME[name], values, problems) for name in ("amount", "duration")
    }
    if problems:
        raise InputRejected(problems)
    assert isinstance(account_id, (int, float))  # noqa: S101 - checked above; tells the types
    return int(account_id), numbers["amount"], numbers["duration"]


def read_application(values: Mapping[str, object]) -> dict[str, float]:
    """Check the application's fields; `payments` may be left out, it follows from the terms.

    Returns:
        The model's numbers by feature; null is NaN.

    Raises:
        InputRejected: a field is missing, unknown, of the wrong kind or out of bounds.
    """
    problems = _unknown_fields(values, _APPLICATION_FIELDS)
    computed = values.get("payments") is None
    numbers = {
        feature.name: _read(feature, values, problems)
        for feature in APPLICATION_FEATURES
        if not (computed and feature is _PAYMENTS)
    }
    if computed and not problems:
        numbers["payments"] = numbers["amount"] / numbers["duration"]
    if problems:
        raise InputRejected(problems)
    return numbers


def _unknown_fields(values: Mapping[str, object], known: frozenset[str]) -> list[Problem]:
    if values.keys() <= known:
        return []
    unknown = sorted(values.keys() - known)
    return [Problem(name[:80], "is not a field of this request") for name in unknown[:20]]


def _read(feature: Feature, values: Mapping[str, object], problems: list[Problem]) -> float:
    """The model's number for one field, or NaN and a problem."""
    value = values.get(feature.name)
    if value is None and feature.null_means is not None:
        return math.nan
    message = None
    if value is None:
        message = "is missing"
    elif feature.codes:
        if value not in feature.codes:
            message = f"must be one of {', '.join(feature.codes)}"
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        message = "must be a number"
    elif not feature.minimum <= value <= feature.maximum:
        message = f"must be between {feature.minimum:,.0f} and {feature.maximum:,.0f}"
    elif feature.unit == "months" and value != value // 1:
        message = "must be a whole number of months"
    if message is not None:
        problems.append(Problem(feature.name, message))
        return math.nan
    return feature.encode(value)
