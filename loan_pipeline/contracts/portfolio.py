"""The scored portfolio in the lake: what the pipeline writes and the web app shows. No I/O.

portfolio/<snapshot id>/<model version>/
loans.parquet, loans.csv   one row per running loan
summary.json               totals and the watch list, written last
portfolio/latest.json        {"snapshot_id": …, "model_version": …}, replaced atomically
"""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

PORTFOLIO = "portfolio"
LATEST_PORTFOLIO_KEY = f"{PORTFOLIO}/latest.json"


class Total(BaseModel):
    """The sums of one region, duration or vintage, or of all loans.

    Attributes:
        expected_loss_share: of the exposure.
    """

    model_config = ConfigDict(frozen=True)

    label: str
    loans: int
    in_debt: int
    on_watch_list: int
    exposure_czk: float
    expected_loss_czk: float
    expected_loss_share: float


class WatchedLoan(BaseModel):
    """A loan in debt, or one that the model would refuse today."""

    model_config = ConfigDict(frozen=True)

    loan_id: int
    account_id: int
    status: str
    region: str
    months_left: int
    exposure_czk: float
    probability_paid_off: float
    expected_loss_czk: float
    reasons: str


class PortfolioSummary(BaseModel):
    """What is shown of a portfolio.

    Attributes:
        as_of: the snapshot's: what happened strictly before this day is known.
        loss_given_default: the assumption behind the expected loss.
        all_loans: the whole portfolio.
        totals: by "region", "duration" and "vintage".
        watch_list: the loans with the largest expected loss of all that are watched.
    """

    model_config = ConfigDict(frozen=True)

    snapshot_id: str
    model_version: str
    as_of: date
    created_at: datetime
    loss_given_default: float
    all_loans: Total
    totals: dict[str, tuple[Total, ...]]
    watch_list: tuple[WatchedLoan, ...]


def portfolio_key(snapshot_id: str, model_version: str, file: str) -> str:
    """Where one file of a portfolio is."""
    return f"{PORTFOLIO}/{snapshot_id}/{model_version}/{file}"
