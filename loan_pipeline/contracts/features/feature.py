"""One feature: name, unit, definition, type, range, and its number for the model."""

import math
from dataclasses import dataclass
from typing import Literal

# Where a feature comes from when an applicant is scored: the account alone (looked up as of the
# snapshot), the terms of the loan asked for, or both together.
Origin = Literal["account", "terms", "both"]


@dataclass(frozen=True)
class Feature:
    """One input of the model.

    Attributes:
        name: column name, with unit and window (`balance_min_90d_czk`).
        label: words for people ("lowest balance in the last 90 days").
        unit: "CZK", "days", "months", "years", "count", "share", "ratio", "percent" or "code".
        definition: how it is computed, in a sentence; "before" means before the as-of date.
        origin: what it is computed from, see `Origin`.
        minimum: smallest possible value, inclusive.
        maximum: largest possible value, inclusive.
        null_means: why the value may be missing; None where it never is.
        codes: for unit "code", the values in the order of their model numbers 0, 1, 2, …
        application: whether the application set has it; the behavioural set has all but
            the protected and what grows with time.
        protected: a characteristic that the law protects: fairness is measured by it, and no
            reason names it.
        grows_with_time: whether it grows as the bank ages, whatever a client does.
        after_payment_of: for origin "both", the account's feature that the payment is taken from.
        with_amount: how the value moves when the amount grows at the same duration: 1 rises, -1
            falls, 0 stays. A released model answers no higher probability for such a move.
    """

    name: str
    label: str
    unit: str
    definition: str
    origin: Origin
    minimum: float
    maximum: float
    null_means: str | None = None
    codes: tuple[str, ...] = ()
    application: bool = False
    with_amount: Literal[-1, 0, 1] = 0
    protected: bool = False
    grows_with_time: bool = False
    after_payment_of: str | None = None

    @property
    def type(self) -> Literal["string", "int64", "float64"]:
        """Of its column in the feature tables: codes are texts, days and counts whole numbers."""
        if self.codes:
            return "string"
        return "int64" if self.unit in ("days", "count") else "float64"

    def encode(self, value: object) -> float:
        """The model's number for a value: codes by position, null and unknown codes as NaN."""
        if self.codes:
            return float(self.codes.index(value)) if value in self.codes else math.nan
        if value is None:
            return math.nan
        if isinstance(value, (int, float)):
            return float(value)
        raise TypeError(f"feature {self.name} takes a number, not {type(value).__name__}")

    def decode(self, number: float) -> str | float | None:
        """The value behind a model's number, the inverse of `encode`."""
        if math.isnan(number):
            return None
        return self.codes[int(number)] if self.codes else number
