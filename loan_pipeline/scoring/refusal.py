"""The principal reasons for a refusal, as a notice of adverse action names them."""

from collections.abc import Iterable
from dataclasses import dataclass

from loan_pipeline.contracts.features import FEATURES_BY_NAME, REFUSAL_REASONS
from loan_pipeline.scoring.text import value_text

# More are not likely to help an applicant: commentary to Regulation B, 12 CFR 1002.9(b)(2).
MOST_REASONS = 4


@dataclass(frozen=True)
class PrincipalReason:
    """One reason for a refusal.

    Attributes:
        code: stable, see `contracts.features.refusal_reasons`.
        feature: whose value speaks against the applicant.
        value: the applicant's; None where it is missing.
        text: reason and value in words.
    """

    code: str
    feature: str
    value: str | float | None
    text: str


def principal_reasons(
    parts: Iterable[tuple[str, str | float | None, float]],
) -> tuple[PrincipalReason, ...]:
    """At most four reasons, the strongest first.

    Only what lowers the probability against the reference loan counts, and no protected
    characteristic is named (it has no reason in the contract).

    Args:
        parts: each feature's name, value and contribution to the probability.
    """
    against = sorted(
        (part for part in parts if part[2] < 0 and part[0] in REFUSAL_REASONS),
        key=lambda part: part[2],
    )
    return tuple(_reason(name, value) for name, value, _ in against[:MOST_REASONS])


def _reason(name: str, value: str | float | None) -> PrincipalReason:
    reason = REFUSAL_REASONS[name]
    words = value_text(FEATURES_BY_NAME[name], value)
    return PrincipalReason(reason.code, name, value, f"{reason.text}: {words}")
