"""Whether a request lies on the ground that the model knows, and in words where it does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from loan_pipeline.contracts.features import FEATURES_BY_NAME
from loan_pipeline.contracts.known_ground import JOINT_LIMITS_BY_NAME, KnownRange
from loan_pipeline.scoring.text import value_text

# A model's numbers are float32: a value of the training loans must not be beyond itself.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Referral:
    """One reason why a person must decide.

    Attributes:
        feature: a feature's name, or a joint limit's.
        value: of the request; None where it has none.
        known_minimum: the smallest among the loans that the model learned from.
        known_maximum: the largest.
        text: the same in words.
    """

    feature: str
    value: float | None
    known_minimum: float
    known_maximum: float
    text: str


def referrals(ranges: Sequence[KnownRange], values: Mapping[str, float]) -> list[Referral]:
    """What of a request lies beyond the training loans, in the order of the ranges; often nothing.

    Args:
        ranges: as the manifest has them.
        values: the model's numbers by feature; null is NaN.
    """
    return [
        _referral(one, value)
        for one in ranges
        for value in [_value(one.feature, values)]
        if _is_beyond(one, value)
    ]


def _value(name: str, values: Mapping[str, float]) -> float | None:
    limit = JOINT_LIMITS_BY_NAME.get(name)
    if limit is not None:
        return limit.value(values)
    value = values[name]
    return None if isnan(value) else float(value)


def _is_beyond(known: KnownRange, value: float | None) -> bool:
    if value is None:  # a joint limit has none where one of its features has none
        return not known.missing and known.feature not in JOINT_LIMITS_BY_NAME
    margin = _ROUNDING * max(abs(known.minimum), abs(known.maximum))
    return not known.minimum - margin <= value <= known.maximum + margin


def _referral(known: KnownRange, value: float | None) -> Referral:
    limit = JOINT_LIMITS_BY_NAME.get(known.feature)
    if limit is not None:
        label = limit.label

        def words(number: float | None) -> str:
            return "not known" if number is None else f"{number:,.2f}"
    else:
        feature = FEATURES_BY_NAME[known.feature]
        label = feature.label

        def words(number: float | None) -> str:
            return value_text(feature, number)

    if value is None:
        text = f"{label}: {words(None)}; every loan that the model learned from has a value"
    else:
        side, bound = (
            ("smallest", known.minimum) if value < known.minimum else ("largest", known.maximum)
        )
        text = (
            f"{label}: {words(value)}; the {side} among the loans that the model learned from is "
            f"{words(bound)}"
        )
    return Referral(known.feature, value, known.minimum, known.maximum, text)
