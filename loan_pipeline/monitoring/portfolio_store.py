"""Writes a scored portfolio into the lake; where and how is `contracts.portfolio`."""

import io
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd

from loan_pipeline.contracts.portfolio import (
    LATEST_PORTFOLIO_KEY,
    PortfolioSummary,
    Total,
    WatchedLoan,
    portfolio_key,
)
from loan_pipeline.lake.protocol import Store, StoreConflict
from loan_pipeline.monitoring.errors import MonitoringError
from loan_pipeline.monitoring.portfolio import TOTALS, totals, watch_list

_MOST_WATCHED = 200  # on the page; loans.csv has them all


def summarise(
    scored: pd.DataFrame,
    *,
    snapshot_id: str,
    as_of: date,
    model_version: str,
    loss_given_default: float,
) -> PortfolioSummary:
    """What is shown of a portfolio, as `score_portfolio` gives it."""
    sums = {by: _totals(totals(scored, by), by) for by in TOTALS}
    watched = watch_list(scored).head(_MOST_WATCHED)
    return PortfolioSummary(
        snapshot_id=snapshot_id,
        model_version=model_version,
        as_of=as_of,
        created_at=datetime.now(UTC),
        loss_given_default=loss_given_default,
        all_loans=sums[TOTALS[0]][-1],
        totals={by: of_all[:-1] for by, of_all in sums.items()},
        watch_list=tuple(
            WatchedLoan.model_validate({name: row[name] for name in WatchedLoan.model_fields})
            for row in watched.to_dict("records")
        ),
    )


def publish_portfolio(store: Store, scored: pd.DataFrame, summary: PortfolioSummary) -> None:
    """Write every loan and the summary, then make this the latest portfolio.

    Raises:
        MonitoringError: another run published one at the same time; it stays the latest.
    """
    names = (summary.snapshot_id, summary.model_version)
    parquet = io.BytesIO()
    scored.to_parquet(parquet, index=False)
    store.write(portfolio_key(*names, "loans.parquet"), parquet.getvalue())
    store.write(portfolio_key(*names, "loans.csv"), scored.to_csv(index=False).encode())
    store.write(portfolio_key(*names, "summary.json"), summary.model_dump_json(indent=1).encode())
    value: dict[str, Any] = {"snapshot_id": names[0], "model_version": names[1]}
    pointer = store.read_pointer(LATEST_PORTFOLIO_KEY)
    try:
        store.replace_pointer(LATEST_PORTFOLIO_KEY, value, pointer.token if pointer else None)
    except StoreConflict as error:
        raise MonitoringError(
            "another run published a portfolio at the same time, which stays the latest: "
            "materialise portfolio/scores again"
        ) from error


def _totals(frame: pd.DataFrame, by: str) -> tuple[Total, ...]:
    rows = frame.rename(columns={by: "label"}).to_dict("records")
    return tuple(Total.model_validate(row) for row in rows)
