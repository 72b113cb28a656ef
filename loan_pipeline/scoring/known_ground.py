"""Whether a request lies on the ground that the model knows, and in words where it does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from loan_pipeline.contracts.features import FEATURES_BY_NAME
from loan_pipeline.contracts.known_ground import JOINT_LIMITS_BY_NAME, JointLimit, KnownRange
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


class KnownGround:
    """The ranges of a model's training loans, against which requests are held.

    Args:
        ranges: as the manifest has them; none refer nothing.
        names: the model's inputs, in its order.
    """

    def __init__(self, ranges: Sequence[KnownRange], names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._plain = [
            (self._names.index(one.feature), *_with_margin(one), one)
            for one in ranges
            if one.feature not in JOINT_LIMITS_BY_NAME
        ]
        self._joint = [
            (JOINT_LIMITS_BY_NAME[one.feature], *_with_margin(one), one)
            for one in ranges
            if one.feature in JOINT_LIMITS_BY_NAME
        ]

    def referrals(self, rows: NDArray[np.float32]) -> list[tuple[Referral, ...]]:
        """What of each request lies beyond the training loans, in the order of the ranges.

        Args:
            rows: the model's numbers, shape [requests, features]; null is NaN.

        Returns:
            One tuple per request, empty where there is nothing to refer.
        """
        return [self.referral(row) for row in rows.tolist()]

    def referral(self, row: list[float]) -> tuple[Referral, ...]:
        """The same of one request, its numbers as a list: arrays of one row are slow."""
        found = []
        for index, low, high, known in self._plain:
            value = row[index]
            if low <= value <= high:
                continue
            if not isnan(value):
                found.append(_referral(known, value))
            elif not known.missing:
                found.append(_referral(known, None))
        if self._joint:
            values = dict(zip(self._names, row, strict=True))
            for limit, low, high, known in self._joint:
                # A joint limit has no value where one of its features has none.
                quotient = limit.value(values)
                if quotient is not None and not low <= quotient <= high:
                    found.append(_referral(known, quotient))
        return tuple(found)


def _with_margin(known: KnownRange) -> tuple[float, float]:
    margin = _ROUNDING * max(abs(known.minimum), abs(known.maximum))
    return known.minimum - margin, known.maximum + margin


def _referral(known: KnownRange, value: float | None) -> Referral:
    label = known_label(known.feature)
    if value is None:
        text = f"{label}: not known; every loan that the model learned from has a value"
    else:
        side, bound = (
            ("smallest", known.minimum) if value < known.minimum else ("largest", known.maximum)
        )
        text = (
            f"{label}: {known_text(known.feature, value)}; the {side} among the loans that the "
            f"model learned from is {known_text(known.feature, bound)}"
        )
    return Referral(known.feature, value, known.minimum, known.maximum, text)


def known_label(name: str) -> str:
    """What a range is of, in words: a feature or a joint limit."""
    limit: JointLimit | None = JOINT_LIMITS_BY_NAME.get(name)
    return limit.label if limit else FEATURES_BY_NAME[name].label


def known_text(name: str, value: float) -> str:
    """A value of a range with its unit: "9,910 CZK", "48 %"."""
    if name in JOINT_LIMITS_BY_NAME:
        return f"{100 * value:,.0f} %"
    return value_text(FEATURES_BY_NAME[name], value)
