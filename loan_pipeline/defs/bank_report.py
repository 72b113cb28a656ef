"""Exploratory analysis of the bank: aggregates computed by the database, drawn as a report."""

from typing import Any

import dagster as dg

from loan_pipeline.bank.report.aggregates import Exploration, explore
from loan_pipeline.bank.report.html import plots, render
from loan_pipeline.defs.keys import GROUPS
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.defs.presentation import picture
from loan_pipeline.defs.raw import BANK, RAW_KEYS
from loan_pipeline.defs.resources import BankResource, CurrencyResource

REPORT_KEY = "reports/bank.html"


def exploration_metadata(
    exploration: Exploration, address: str, currency: CurrencyResource
) -> dict[str, Any]:
    """The report's address and its plots, for the UI."""
    pictures = {
        title: picture(title, currency.label(svg)) for title, svg in plots(exploration).items()
    }
    return {"report": address, **pictures}


@dg.asset(group_name=GROUPS["bank"], deps=[BANK, *RAW_KEYS], kinds={"html", "store"})
def bank_report(
    bank: BankResource, lake: LakeResource, currency: CurrencyResource
) -> dg.MaterializeResult[None]:
    """What the bank holds, by aggregates alone: no row leaves the database."""
    exploration = explore(bank.open())
    store = lake.open()
    store.write(REPORT_KEY, currency.label(render(exploration)).encode())
    return dg.MaterializeResult(
        metadata=exploration_metadata(exploration, f"{store.url}/{REPORT_KEY}", currency)
    )


def reports() -> dg.Definitions:
    """The asset."""
    return dg.Definitions(assets=[bank_report])
