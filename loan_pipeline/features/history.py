"""What a spine may know: rows strictly before its as-of date.

Every transaction reaches a feature through here, so the point in time is decided in one place.
Money is counted in hellers (CZK / 100) as int64: sums are exact, and features the same to the last
bit whatever the engine, its threads and the order of the rows.
"""

import ibis
from ibis import _

KEYS = ("account_id", "as_of_date")
DAYS_PER_MONTH = 30


def transactions_before(trans: ibis.Table, spine: ibis.Table) -> ibis.Table:
    """The transactions dated before the as-of date, once for each as-of date of their account.

    Args:
        trans: the raw table.
        spine: account_id, as_of_date.

    Returns:
        The spine's keys, `days_before` (1 is the day before the as-of date), `amount`, `balance`
        (after it; both in hellers), what kind of transaction it is (boolean `credit`, `income`,
        `cash`, `transfer`, `penalty`), and the `recipient` of a transfer.
    """
    credit = trans.type == "PRIJEM"
    interest = (trans.k_symbol == "UROK").fill_null(False)
    transfer = (trans.operation == "PREVOD NA UCET").fill_null(False)
    booked = trans.select(
        "account_id",
        "date",
        amount=hellers(trans.amount),
        balance=hellers(trans.balance),
        credit=credit,
        income=credit & ~interest,
        cash=(trans.operation == "VYBER").fill_null(False),
        transfer=transfer,
        penalty=(trans.k_symbol == "SANKC. UROK").fill_null(False),
        recipient=ibis.ifelse(transfer, trans.account, ibis.null("int64")),
    )
    known = spine.join(
        booked, [spine.account_id == booked.account_id, booked.date < spine.as_of_date]
    )
    return known.mutate(days_before=days_between(_.date, _.as_of_date)).drop("date")


def last_year(known: ibis.Table) -> ibis.Table:
    """The transactions of the 12 months of 30 days before the as-of date.

    Returns:
        As `transactions_before`, with `month` (0 is the last) and `until_day`: how many days before
        the as-of date the next transaction came, or 0. So a balance stood for `days_before -
        until_day` days at the end of the day: for none where another one followed on the same day.
    """
    recent = known.filter(known.days_before <= 12 * DAYS_PER_MONTH)
    # Transaction numbers do not tell the order within a day. The bank books a day's credits before
    # its debits: in the real data that order, and no order of the numbers, lets every balance
    # follow from the one before. Balances rise with credits, then fall with debits.
    order = [
        ibis.desc(recent.days_before * 2 + recent.credit.cast("int64")),
        ibis.ifelse(recent.credit, recent.balance, -recent.balance),
    ]
    following = ibis.window(group_by=KEYS, order_by=order)
    return recent.mutate(
        month=((recent.days_before - 1) / DAYS_PER_MONTH).floor().cast("int64"),
        until_day=recent.days_before.lead().over(following).fill_null(0),
    )


def hellers(czk: ibis.Value) -> ibis.Value:
    """An amount (decimal, with two places at most) in hellers, int64."""
    return (czk * 100).cast("int64")


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
