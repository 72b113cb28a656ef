"""Balances: as they stood at the end of each day, and each month's low."""

import ibis

from loan_pipeline.features.history import KEYS, hellers, in_czk, std_czk

LOW_BALANCE = 15_000 * 100  # hellers


def daily_balances(recent: ibis.Table) -> ibis.Table:
    """One row per key: every day counts, from the year's first transaction on.

    Args:
        recent: of `history.last_year`.
    """
    balance, since, until = hellers(recent.balance), recent.days_before, recent.until_day

    def stood(days: int) -> ibis.Value:
        """For how many of the last `days` days the balance stood."""
        return ibis.greatest(ibis.least(since, days) - until, 0)

    def low_share(days: int) -> ibis.Value:
        low = stood(days).sum(where=balance < LOW_BALANCE).fill_null(0)
        return low / stood(days).sum()

    return recent.group_by(*KEYS).aggregate(
        balance_last_czk=in_czk(balance.max(where=until == 0)),
        balance_mean_90d_czk=in_czk((balance * stood(90)).sum() / stood(90).sum()),
        balance_min_90d_czk=in_czk(balance.min(where=stood(90) > 0)),
        low_balance_share_90d=low_share(90),
        low_balance_share_180d=low_share(180),
    )


def monthly_lows(months: ibis.Table) -> dict[str, ibis.Value]:
    """Aggregates over one key's months: `months` is of `cashflow.months_of`."""
    low, month = months.low, months.month
    return {
        "balance_low_mean_3m_czk": in_czk(low.mean(where=month < 3)),
        "balance_low_mean_6m_czk": in_czk(low.mean(where=month < 6)),
        "balance_low_std_12m_czk": std_czk(low, months.count()),
    }
