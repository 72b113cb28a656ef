"""One piece of work, done by ours and by its peers, as data that the report is written from."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

_DRAW = 0.02  # within this share of each other nobody is ahead


@dataclass(frozen=True)
class Comparison:
    """What was measured of the same work.

    Attributes:
        work: what was done, with how much of what.
        unit: of the figures: s, ms, MB, requests/s, ROC AUC, …
        ours: our figure.
        peers: the others' figures, by name.
        better: which figures are the better ones.
        goal: what is aimed at, in words.
        note: what the reader must know to judge the figures.
    """

    work: str
    unit: str
    ours: float
    peers: Mapping[str, float] = field(default_factory=dict)
    better: Literal["lower", "higher"] = "lower"
    goal: str = ""
    note: str = ""

    def ratio(self, peer: str) -> float:
        """How many times better ours is than the peer: above 1 we are ahead."""
        theirs = self.peers[peer]
        return theirs / self.ours if self.better == "lower" else self.ours / theirs

    def ahead(self) -> list[str]:
        """The peers that are better than ours, the best first."""
        found = [peer for peer in self.peers if self.ratio(peer) < 1 - _DRAW]
        return sorted(found, key=self.ratio)

    def as_data(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def comparisons_in(figures: object) -> Iterator[Comparison]:
    """Every comparison in a part's figures, wherever it stands under the name `comparisons`."""
    if isinstance(figures, Mapping):
        for name, value in figures.items():
            if name == "comparisons":
                yield from (Comparison(**data) for data in value)
            else:
                yield from comparisons_in(value)
    elif isinstance(figures, list):
        for value in figures:
            yield from comparisons_in(value)
