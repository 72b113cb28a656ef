"""Balances: as they stood at the end of each day, and after each transaction."""

import ibis
from ibis import _

from loan_pipeline.features.history import KEYS, in_czk, std_czk

WINDOWS_DAYS = (30, 90, 180)
LOW_BALANCE = 15_000 * 100  # hellers


def balances(known: ibis.Table) -> ibis.Table:
    """One row per key with transactions: `known` is of `history.transactions_before`."""
    after_transactions = known.group_by(*KEYS).aggregate(
        transaction_amount_mean_czk=in_czk(_.amount.mean()),
        transaction_count=_.count(),
        balance_mean_czk=in_czk(_.balance.mean()),
        balance_std_180d_czk=std_czk(known.balance, known.days_before <= 180),
        balance_below_zero_count=_.count(where=_.balance < 0),
        penalty_interest_count=_.count(where=_.k_symbol == "SANKC. UROK"),
        penalty_interest_czk=in_czk(_.amount.sum(where=_.k_symbol == "SANKC. UROK").fill_null(0)),
    )
    return after_transactions.join(_over_days(end_of_day(known)), KEYS)


def end_of_day(known: ibis.Table) -> ibis.Table:
    """One row per key and day with transactions, and how long its closing balance stood.

    Transaction numbers do not tell the order within a day. The bank books a day's credits before
    its debits: in the real data that order, and no order of the numbers, lets every balance follow
    from the one before. So a day closes at the lowest balance after a debit or, where it has no
    debit, at the highest after a credit.

    Returns:
        The keys, the closing `balance`, `from_day` and `to_day`: the balance stood from `from_day`
        days before the as-of date until `to_day` days before it (exclusive, 0 is the date itself).
    """
    days = known.group_by(*KEYS, from_day=known.days_before).aggregate(
        balance=ibis.coalesce(
            known.balance.min(where=~known.credit), known.balance.max(where=known.credit)
        )
    )
    later = ibis.window(group_by=KEYS, order_by=ibis.desc("from_day"))
    return days.mutate(to_day=_.from_day.lead().over(later).fill_null(0))


def _over_days(days: ibis.Table) -> ibis.Table:
    """Features of the daily balance; every day counts once, with or without transactions."""
    features = {
        "balance_last_czk": in_czk(days.balance.max(where=days.to_day == 0)),
        "balance_min_czk": in_czk(days.balance.min()),
        "balance_below_zero_share": _share_of_days(days, days.balance < 0),
    }
    for window in WINDOWS_DAYS:
        stood = ibis.least(days.from_day, window) - ibis.least(days.to_day, window)
        features |= {
            f"balance_mean_{window}d_czk": in_czk((days.balance * stood).sum() / stood.sum()),
            f"balance_min_{window}d_czk": in_czk(days.balance.min(where=days.to_day < window)),
        }
        if window > WINDOWS_DAYS[0]:
            features[f"low_balance_share_{window}d"] = _share_of_days(
                days, days.balance < LOW_BALANCE, window
            )
    return days.group_by(*KEYS).aggregate(**features)


def _share_of_days(
    days: ibis.Table, condition: ibis.Value, window: int | None = None
) -> ibis.Value:
    """Share of the (last `window`) days on which the closing balance met the condition."""
    stood = days.from_day - days.to_day
    if window is not None:
        stood = ibis.least(days.from_day, window) - ibis.least(days.to_day, window)
    return stood.sum(where=condition).fill_null(0) / stood.sum()
