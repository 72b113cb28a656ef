"""Money in and out: income and its regularity, what is left of it, transfers, cash, trouble."""

import ibis
from ibis import _

from loan_pipeline.features.history import DAYS_PER_MONTH, KEYS, in_czk, std_czk


def overall(known: ibis.Table) -> ibis.Table:
    """One row per key with transactions: `known` is of `history.transactions_before`."""
    amount, days = known.amount, known.days_before
    debit = ~known.credit
    spent = amount.sum(where=debit & (days <= 90)).nullif(0)
    transfers = amount.sum(where=known.transfer).fill_null(0)
    return known.group_by(*KEYS).aggregate(
        transaction_count=known.count(),
        transaction_amount_mean_czk=in_czk(amount.mean()),
        balance_mean_czk=in_czk(known.balance.mean()),
        balance_below_zero_count=known.count(where=known.balance < 0),
        penalty_interest_czk=in_czk(amount.sum(where=known.penalty).fill_null(0)),
        days_since_income=days.min(where=known.income),
        debit_amount_mean_180d_czk=in_czk(amount.mean(where=debit & (days <= 180))),
        cash_share_90d=amount.sum(where=known.cash & (days <= 90)).fill_null(0) / spent,
        transfers_mean_monthly_czk=in_czk(transfers * DAYS_PER_MONTH / days.max()),
        transfer_recipient_count=known.recipient.nunique(),
    )


def regular_income(recent: ibis.Table) -> ibis.Table:
    """One row per key with income: the share that came in amounts that came at least twice.

    Args:
        recent: of `history.last_year`.
    """
    amounts = recent.filter(recent.income).group_by(*KEYS, "amount").aggregate(times=_.count())
    total = amounts.amount * amounts.times
    return amounts.group_by(*KEYS).aggregate(
        income_regular_share_12m=total.sum(where=amounts.times > 1).fill_null(0) / total.sum()
    )


def months_of(recent: ibis.Table) -> ibis.Table:
    """One row per key and month with a transaction: `recent` is of `history.last_year`.

    Returns:
        The keys, `month`, its lowest balance `low`, `income` and `net` flow, in hellers.
    """
    return recent.group_by(*KEYS, "month").aggregate(
        low=_.balance.min(),
        income=_.amount.sum(where=_.income).fill_null(0),
        net=ibis.ifelse(_.credit, _.amount, -_.amount).sum(),
    )


def monthly_flows(months: ibis.Table) -> dict[str, ibis.Value]:
    """Aggregates over one key's months: `months` is of `months_of`."""
    half = months.month < 6
    income_mean = in_czk(months.income.mean(where=half))
    return {
        "income_mean_6m_czk": income_mean,
        "income_variation_6m": std_czk(months.income, half) / income_mean.nullif(0),
        "income_gap_share_12m": months.count(where=months.income == 0) / months.count(),
        "net_flow_mean_6m_czk": in_czk(months.net.mean(where=half)),
        "net_flow_std_6m_czk": std_czk(months.net, half),
        "net_flow_min_6m_czk": in_czk(months.net.min(where=half)),
    }
