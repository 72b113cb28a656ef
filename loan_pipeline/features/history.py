"""What a spine may know: rows strictly before its as-of date, with amounts as float64.

Every transaction reaches a feature through here, so the point in time is decided in one place.
"""

import ibis
from ibis import _

KEYS = ("account_id", "as_of_date")


def transactions_before(trans: ibis.Table, spine: ibis.Table) -> ibis.Table:
    """The transactions dated before the as-of date, once for each as-of date of their account.

    Args:
        trans: the raw table.
        spine: account_id, as_of_date.

    Returns:
        The spine's keys, `days_before` (1 is the day before the as-of date), `credit` (boolean),
        `amount`, `balance` (CZK after it), `recipient` (the other side's account), and the codes
        `operation` and `k_symbol`, empty where the bank has none.
    """
    booked = trans.select(
        "account_id",
        "date",
        operation=_.operation.fill_null(""),
        k_symbol=_.k_symbol.fill_null(""),
        credit=_.type == "PRIJEM",
        amount=_.amount.cast("float64"),
        balance=_.balance.cast("float64"),
        recipient=_.account,
    )
    known = spine.join(
        booked, [spine.account_id == booked.account_id, booked.date < spine.as_of_date]
    )
    return known.mutate(days_before=days_between(_.date, _.as_of_date)).drop("date")


def days_between(start: ibis.Value, end: ibis.Value) -> ibis.Value:
    """Days from the date `start` to the date `end`, int64."""
    return end.delta(start, unit="day").cast("int64")
