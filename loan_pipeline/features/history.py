"""What a spine may know: rows strictly before its as-of date.

Every transaction reaches a feature through here, so the point in time is decided in one place.
Money is counted in hellers (CZK / 100) as int64: sums are exact, and features the same to the last
bit whatever the engine, its threads and the order of the rows.
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
        `amount`, `balance` (after it; both in hellers), `recipient` (the other side's account), and
        the codes `operation` and `k_symbol`, empty where the bank has none.
    """
    booked = trans.select(
        "account_id",
        "date",
        operation=_.operation.fill_null(""),
        k_symbol=_.k_symbol.fill_null(""),
        credit=_.type == "PRIJEM",
        amount=hellers(_.amount),
        balance=hellers(_.balance),
        recipient=_.account,
    )
    known = spine.join(
        booked, [spine.account_id == booked.account_id, booked.date < spine.as_of_date]
    )
    return known.mutate(days_before=days_between(_.date, _.as_of_date)).drop("date")


def hellers(czk: ibis.Value) -> ibis.Value:
    """An amount in hellers, int64."""
    return (czk.cast("float64") * 100).round().cast("int64")


def in_czk(value: ibis.Value) -> ibis.Value:
    """An amount, or a mean of amounts, back in CZK, float64."""
    return value.cast("float64") / 100  # Spark would divide integers as decimals


def std_czk(value: ibis.Value, where: ibis.Value | None = None) -> ibis.Value:
    """Standard deviation (of the population) of amounts in hellers, to the crown below, in CZK.

    In whole crowns even the sum of squares is an exact int64.
    """
    crowns = (value / 100).floor().cast("int64")
    count = crowns.count(where=where).nullif(0)
    mean_square = (crowns * crowns).sum(where=where) / count
    mean = crowns.sum(where=where) / count
    return ibis.greatest(mean_square - mean * mean, 0.0).sqrt()


def days_between(start: ibis.Value, end: ibis.Value) -> ibis.Value:
    """Days from the date `start` to the date `end`, int64."""
    return end.delta(start, unit="day").cast("int64")
