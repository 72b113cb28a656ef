"""Money in and out: income and its regularity, what is left of it, transfers, cash, trouble."""

import ibis
from ibis import _

from loan_pipeline.features.history import DAYS_PER_MONTH, KEYS, hellers, in_czk, std_czk, total


def overall(known: ibis.Table) -> ibis.Table:
    """One row per key with transactions: `known` is of `history.transactions_before`."""
    amount, count = known.amount, known.count()
    transferred = total(amount, known.transfer).fill_null(0)
    return known.group_by(*KEYS).aggregate(
        transaction_count=count,
        transaction_amount_mean_czk=in_czk(total(amount) / count),
        balance_mean_czk=in_czk(total(known.balance) / count),
        balance_below_zero_count=known.count(where=known.balance < 0),
        penalty_interest_czk=in_czk(total(amount, known.penalty)),
        days_since_income=known.days_before.min(where=known.income),
        transfers_mean_monthly_czk=in_czk(transferred * DAYS_PER_MONTH / known.days_before.max()),
        transfer_recipient_count=known.recipient.nunique(where=known.transfer),
    )


def regular_income(recent: ibis.Table) -> ibis.Table:
    """One row per key with income: the share that came in amounts that came at least twice.

    Args:
        recent: of `history.last_year`.
    """
    amounts = recent.filter(recent.income).group_by(*KEYS, "amount")
    amounts = amounts.aggregate(times=_.count(), total=_.amount.sum())
    regular = total(amounts.total, amounts.times > 1).fill_null(0)
    return amounts.group_by(*KEYS).aggregate(
        income_regular_share_12m=regular / total(amounts.total)
    )


def months_of(recent: ibis.Table) -> ibis.Table:
    """One row per key and month with a transaction: `recent` is of `history.last_year`.

    Returns:
        The keys, `month` (0 is the last), its lowest balance `low`, `income` and `net` flow, what
        was `debited`, in how many `debits`, and what of it in `cash`; amounts in hellers.
    """
    amount = hellers(recent.amount)
    month = (recent.days_before - 1) // DAYS_PER_MONTH
    return recent.group_by(*KEYS, month=month).aggregate(
        low=hellers(_.balance.min()),
        income=amount.sum(where=_.income).fill_null(0),
        net=ibis.ifelse(_.credit, amount, -amount).sum(),
        debited=amount.sum(where=~_.credit),
        debits=_.count(where=~_.credit),
        cash=amount.sum(where=_.cash),
    )


def monthly_flows(months: ibis.Table) -> dict[str, ibis.Value]:
    """Aggregates over one key's months: `months` is of `months_of`."""
    income, net, debited = months.income, months.net, months.debited
    quarter, half = months.month < 3, months.month < 6
    count = months.count(where=half).nullif(0)
    income_mean = in_czk(income.sum(where=half) / count)
    return {
        "income_mean_6m_czk": income_mean,
        "income_variation_6m": std_czk(income, count, half) / income_mean.nullif(0),
        "income_gap_share_12m": months.count(where=income == 0) / months.count(),
        "net_flow_mean_6m_czk": in_czk(net.sum(where=half) / count),
        "net_flow_std_6m_czk": std_czk(net, count, half),
        "net_flow_min_6m_czk": in_czk(net.min(where=half)),
        "debit_amount_mean_180d_czk": in_czk(
            debited.sum(where=half) / months.debits.sum(where=half).nullif(0)
        ),
        "cash_share_90d": months.cash.sum(where=quarter).fill_null(0)
        / debited.sum(where=quarter).nullif(0),
    }
