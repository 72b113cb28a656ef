"""A distribution as shares of bins: what a release keeps of its training loans, for monitoring."""

from pydantic import BaseModel, ConfigDict


class Distribution(BaseModel):
    """How values spread over bins.

    Attributes:
        edges: ascending; bin i holds what is above edge i-1 and not above edge i.
        shares: of the values in each bin, one more than there are edges, and at last the share of
            missing ones.
        n: how many values, missing ones included.
    """

    model_config = ConfigDict(frozen=True)

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    n: int
