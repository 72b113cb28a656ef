"""An alert, and the digest of many. They hold names and figures, never a secret or personal data.

Error messages and check descriptions are free text, which may quote a row or an address, so neither
gets in: the run's page shows them to those who may see them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, get_args

Kind = Literal[
    "run failed",
    "release refused",
    "check failed",
    "check warned",
    "snapshot stale",
    "release stale",
    "app serves another release",
    "resolved",
]
# In the order of a digest.
KINDS: tuple[Kind, ...] = get_args(Kind)
_MOST_OF_A_KIND = 10


@dataclass(frozen=True)
class Alert:
    """Something that a person should look at.

    Attributes:
        subject: the run, asset or condition, in a few words.
        text: one or two sentences of names and figures.
        link: where to look; empty where there is no such page.
    """

    kind: Kind
    subject: str
    text: str
    link: str = ""


@dataclass(frozen=True)
class Digest:
    """One message."""

    title: str
    body: str


def digest(alerts: Sequence[Alert]) -> Digest:
    """One message of all alerts, the gravest first; of many of one kind the first ten."""
    ordered = sorted(alerts, key=lambda alert: KINDS.index(alert.kind))
    paragraphs, counts = [], []
    for kind, same in groupby(ordered, key=lambda alert: alert.kind):
        of_kind = list(same)
        counts.append(f"{kind} ({len(of_kind)})" if len(of_kind) > 1 else kind)
        paragraphs += [_paragraph(alert) for alert in of_kind[:_MOST_OF_A_KIND]]
        if more := len(of_kind) - _MOST_OF_A_KIND:
            paragraphs += [f"and {more} more: {kind}"] if more > 0 else []
    return Digest(f"Loan pipeline: {', '.join(counts)}", "\n\n".join(paragraphs))


def _paragraph(alert: Alert) -> str:
    lines = [f"{alert.kind.capitalize()}: {alert.subject}", alert.text, alert.link]
    return "\n".join(line for line in lines if line)
