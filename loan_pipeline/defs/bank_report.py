"""Exploratory analysis of the bank: aggregates computed by the database, drawn as a report."""

import dagster as dg

from loan_pipeline.bank.report.aggregates import explore
from loan_pipeline.bank.report.html import plots, render
from loan_pipeline.defs.keys import GROUPS
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.defs.presentation import picture
from loan_pipeline.defs.raw import BANK, RAW_KEYS
from loan_pipeline.defs.resources import BankResource, CurrencyResource

REPORT_KEY = "reports/bank.html"


@dg.asset(group_name=GROUPS["bank"], deps=[BANK, *RAW_KEYS], kinds={"html", "store"})
def bank_report(
    bank: BankResource, lake: LakeResource, currency: CurrencyResource
) -> dg.MaterializeResult[None]:
    """What the bank holds, by aggregates alone: no row leaves the database."""
    exploration = explore(bank.open())
    store = lake.open()
    drawn = plots(exploration)
    store.write(REPORT_KEY, currency.label(render(exploration, drawn)).encode())
    pictures = {title: picture(title, currency.label(svg)) for title, svg in drawn.items()}
    return dg.MaterializeResult(metadata={"report": f"{store.url}/{REPORT_KEY}", **pictures})


def reports() -> dg.Definitions:
    """The asset."""
    return dg.Definitions(assets=[bank_report])
