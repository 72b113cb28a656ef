"""Balances: as they stood after each transaction and at the end of each day."""

import ibis

from loan_pipeline.features.history import KEYS

WINDOWS_DAYS = (30, 90, 180)


def balances(known: ibis.Table) -> ibis.Table:
    """One row per key with transactions.

    Args:
        known: of `history.transactions_before`.
    """
    balance = known.balance
    closing = end_of_day(known)
    features = {
        "transaction_amount_mean_czk": known.amount.mean(),
        "transaction_count": known.count(),
        "balance_mean_czk": balance.mean(),
        "balance_min_czk": balance.min(),
        "balance_below_zero_count": known.count(where=balance < 0),
        "penalty_interest_count": known.count(where=known.k_symbol == "SANKC. UROK"),
    }
    for days in WINDOWS_DAYS:
        recent = known.days_before <= days
        features |= {
            f"balance_mean_{days}d_czk": balance.mean(where=recent),
            f"balance_min_{days}d_czk": balance.min(where=recent),
        }
    last = closing.group_by(*KEYS).aggregate(
        balance_last_czk=closing.balance.argmin(closing.days_before)
    )
    return known.group_by(*KEYS).aggregate(**features).join(last, KEYS)


def end_of_day(known: ibis.Table) -> ibis.Table:
    """One row per key and day with transactions: `days_before` and the day's closing `balance`.

    Transaction numbers do not tell the order within a day: the bank books a day's credits before
    its debits (in the real data this makes every balance follow from the one before, and no order
    of the numbers does). So a day closes at the lowest balance after a debit, or where it has
    none, at the highest after a credit.
    """
    return known.group_by(*KEYS, "days_before").aggregate(
        balance=ibis.coalesce(
            known.balance.min(where=~known.credit), known.balance.max(where=known.credit)
        )
    )
