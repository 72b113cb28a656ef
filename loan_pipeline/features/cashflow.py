"""Money in and out: income and its regularity, what is left of it, transfers and cash.

Income is every credit but the interest that the bank pays. A month is 30 days, counted back from
the as-of date; months without a transaction are left out.
"""

import ibis
from ibis import _

from loan_pipeline.features.history import KEYS, in_czk, std_czk

DAYS_PER_MONTH = 30
MONTHS = (3, 6, 12)


def cashflow(known: ibis.Table) -> ibis.Table:
    """One row per key with transactions: `known` is of `history.transactions_before`."""
    known = known.mutate(
        income=_.credit & (_.k_symbol != "UROK"),
        transfer=_.operation == "PREVOD NA UCET",
    )
    cash = known.operation == "VYBER"
    last_90d = known.days_before <= 90
    last_180d = known.days_before <= 180
    debits = known.amount.sum(where=~known.credit & last_90d).nullif(0)
    transfers = known.amount.sum(where=known.transfer).fill_null(0)
    overall = known.group_by(*KEYS).aggregate(
        days_since_income=known.days_before.min(where=known.income),
        debit_amount_mean_180d_czk=in_czk(known.amount.mean(where=~known.credit & last_180d)),
        cash_share_90d=known.amount.sum(where=cash & last_90d).fill_null(0) / debits,
        transfers_mean_monthly_czk=in_czk(transfers * DAYS_PER_MONTH / known.days_before.max()),
        transfer_recipient_count=known.recipient.nunique(where=known.transfer),
    )
    regular = _regular_income(known.filter(known.income))
    joined = overall.join(_monthly(known), KEYS, how="left", rname="{name}_monthly")
    joined = joined.left_join(regular, KEYS, rname="{name}_regular")
    return joined.drop(*(f"{key}_{part}" for key in KEYS for part in ("monthly", "regular")))


def _regular_income(incomes: ibis.Table) -> ibis.Table:
    """Which share of the income came in amounts that came at least twice, to the heller."""
    amounts = incomes.group_by(*KEYS, "amount").aggregate(times=_.count())
    total = amounts.amount * amounts.times
    return amounts.group_by(*KEYS).aggregate(
        income_regular_share=total.sum(where=amounts.times > 1).fill_null(0) / total.sum()
    )


def _monthly(known: ibis.Table) -> ibis.Table:
    """Features of the last year's months."""
    month = ((known.days_before - 1) / DAYS_PER_MONTH).floor().cast("int64")
    last_year = known.mutate(month=month).filter(_.month < max(MONTHS))
    months = last_year.group_by(*KEYS, "month").aggregate(
        low=_.balance.min(),
        income=_.amount.sum(where=_.income).fill_null(0),
        net=ibis.ifelse(_.credit, _.amount, -_.amount).sum(),
    )
    half = months.month < 6
    income_mean = in_czk(months.income.mean(where=half))
    features = {
        f"balance_low_mean_{count}m_czk": in_czk(months.low.mean(where=months.month < count))
        for count in MONTHS
    }
    features |= {
        "balance_low_std_12m_czk": std_czk(months.low),
        "income_mean_6m_czk": income_mean,
        "income_variation_6m": std_czk(months.income, half) / income_mean.nullif(0),
        "income_gap_share_12m": months.count(where=months.income == 0) / months.count(),
        "net_flow_mean_6m_czk": in_czk(months.net.mean(where=half)),
        "net_flow_std_6m_czk": std_czk(months.net, half),
        "net_flow_min_6m_czk": in_czk(months.net.min(where=half)),
    }
    return months.group_by(*KEYS).aggregate(**features)
