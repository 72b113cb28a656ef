"""The portfolio of running loans, as the pipeline scored it last: totals and the watch list."""

from flask import Blueprint, render_template
from pydantic import ValidationError

from loan_pipeline.contracts.portfolio import (
    LATEST_PORTFOLIO_KEY,
    PortfolioSummary,
    portfolio_key,
)
from loan_pipeline.lake.protocol import Store, StoreError, StoreKeyMissing
from webapp.app_state import app_state

portfolio = Blueprint("portfolio", __name__)


@portfolio.get("/portfolio")
def show() -> tuple[str, int]:
    """The latest portfolio; a page that says so where there is none yet or it cannot be read."""
    problem, summary = None, None
    try:
        summary = _latest(app_state().store)
    except (StoreError, ValidationError):
        problem = "The portfolio cannot be read now. Try again later."
    page = render_template("portfolio.html", summary=summary, problem=problem)
    return page, 503 if problem else 200


def _latest(store: Store) -> PortfolioSummary | None:
    try:
        pointer = store.read_pointer(LATEST_PORTFOLIO_KEY)
        if pointer is None:
            return None
        names = (str(pointer.value["snapshot_id"]), str(pointer.value["model_version"]))
        return PortfolioSummary.model_validate_json(
            store.read(portfolio_key(*names, "summary.json"))
        )
    except StoreKeyMissing:
        return None
