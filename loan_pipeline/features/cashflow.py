"""Money in and out: income and its regularity, household, cash."""

import ibis

from loan_pipeline.features.history import KEYS

DAYS_PER_MONTH = 30


def monthly(known: ibis.Table) -> ibis.Table:
    """One row per key and month of 30 days counted back from the as-of date (0 is the last)."""
    booked = known.mutate(
        month=((known.days_before - 1) / DAYS_PER_MONTH).floor().cast("int64"),
        interest=known.k_symbol == "UROK",
    )
    return booked.group_by(*KEYS, "month").aggregate(
        income=booked.amount.sum(where=booked.credit & ~booked.interest).fill_null(0.0),
        outgoings=booked.amount.sum(where=~booked.credit).fill_null(0.0),
    )


def cashflow(known: ibis.Table) -> ibis.Table:
    """One row per key with transactions."""
    months = monthly(known)
    return months.group_by(*KEYS).aggregate(
        income_mean_monthly_czk=months.income.mean(),
        outgoings_mean_monthly_czk=months.outgoings.mean(),
    )
