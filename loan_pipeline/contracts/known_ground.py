"""The ground that a model knows: the ranges of its training loans, which a manifest keeps. No I/O.

Beside the model's own inputs there are joint limits: what no input holds alone, such as the payment
over the income.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


class KnownRange(BaseModel):
    """What the training loans covered of a feature or joint limit.

    Attributes:
        feature: a feature's name, or a joint limit's.
        minimum: the smallest value.
        maximum: the largest.
        missing: whether any of them had no value.
    """

    model_config = ConfigDict(frozen=True)

    feature: str
    minimum: float
    maximum: float
    missing: bool


@dataclass(frozen=True)
class JointLimit:
    """The quotient of two features, known where both are and the second is above zero."""

    name: str
    label: str
    of: str
    over: str

    def value(self, values: Mapping[str, float]) -> float | None:
        """The quotient for one loan's numbers; None where it has none (null is NaN)."""
        of, over = values.get(self.of), values.get(self.over)
        if of is None or over is None or not over > 0 or of != of:
            return None
        return of / over


JOINT_LIMITS = (
    JointLimit(
        "payment_to_income",
        "monthly payment as a share of the monthly income",
        "payments",
        "income_mean_6m_czk",
    ),
)
JOINT_LIMITS_BY_NAME = {limit.name: limit for limit in JOINT_LIMITS}
