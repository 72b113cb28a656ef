"""What a spine may know: rows strictly before its as-of date.

Every transaction reaches a feature through here, so the point in time is decided in one place.
Money is summed in the bank's decimals, or where it is multiplied in hellers (CZK / 100) as int64:
sums are exact, and features the same whatever the engine, its threads and the order of the rows.
"""

import ibis

KEYS = ("account_id", "as_of_date")
DAYS_PER_MONTH = 30


def transactions_before(
    trans: ibis.Table, spine: ibis.Table, days: int | None = None
) -> ibis.Table:
    """The transactions dated before the as-of date, once for each as-of date of their account.

    Args:
        trans: the raw table.
        spine: account_id, as_of_date.
        days: how far back from the as-of date; all of them without it.

    Returns:
        The spine's keys, `days_before` (1 is the day before the as-of date), `amount`, `balance`
        (after it), what kind of transaction it is (boolean `credit`, `income`, `cash`, `transfer`,
        `penalty`; the last three null where nothing is said), and `recipient`, the account of the
        other side.
    """
    credit = trans.type == "PRIJEM"
    booked = trans.select(
        "account_id",
        "date",
        "amount",
        "balance",
        credit=credit,
        income=credit & ~trans.k_symbol.identical_to("UROK"),
        cash=trans.operation == "VYBER",
        transfer=trans.operation == "PREVOD NA UCET",
        penalty=trans.k_symbol == "SANKC. UROK",
        recipient=trans.account,
    )
    known = [spine.account_id == booked.account_id, booked.date < spine.as_of_date]
    if days is not None:
        # A date again: a timestamp would make each transaction's date one, to compare them.
        earliest = spine.as_of_date.cast("timestamp") - ibis.interval(days=days)
        known.append(booked.date >= earliest.date())
    return spine.join(booked, known).select(
        *KEYS,
        "amount",
        "balance",
        "credit",
        "income",
        "cash",
        "transfer",
        "penalty",
        "recipient",
        days_before=days_between(booked.date, spine.as_of_date),
    )


def last_year(trans: ibis.Table, spine: ibis.Table) -> ibis.Table:
    """The transactions of the 12 months of 30 days before the as-of date.

    Args:
        trans: the raw table.
        spine: account_id, as_of_date.

    Returns:
        As `transactions_before`, with `until_day`: how many days before the as-of date the next
        transaction came, or 0. So a balance stood for `days_before - until_day` days at the end of
        the day: for none where another one followed on the same day.
    """
    recent = transactions_before(trans, spine, 12 * DAYS_PER_MONTH)
    # Transaction numbers do not give the order within a day. The bank books a day's credits before
    # its debits: in the real data that order, and no order of the numbers, lets every balance
    # follow from the one before. Balances rise with credits, then fall with debits.
    order = [
        ibis.desc(recent.days_before * 2 + recent.credit.cast("int64")),
        ibis.ifelse(recent.credit, recent.balance, -recent.balance),
    ]
    following = ibis.window(group_by=KEYS, order_by=order)
    return recent.select(
        *KEYS,
        "days_before",
        "amount",
        "balance",
        "credit",
        "income",
        "cash",
        until_day=recent.days_before.lead().over(following).fill_null(0),
    )


def in_czk(value: ibis.Value) -> ibis.Value:
    """An amount in hellers, or a mean of them, in CZK, float64."""
    return value.cast("float64") / 100  # Spark would divide integers as decimals


def hellers(czk: ibis.Value) -> ibis.Value:
    """An amount (decimal, with two places at most) in hellers, int64."""
    return (czk * 100).cast("int64")


def total(czk: ibis.Value, where: ibis.Value | None = None) -> ibis.Value:
    """The sum of amounts (decimals) in hellers, int64, null where there is none."""
    # Engines sum decimals with 38 digits, in which all further arithmetic is slow.
    return hellers(czk.sum(where=where).cast("decimal(18, 2)"))


def std_czk(hellers: ibis.Value, count: ibis.Value, where: ibis.Value | None = None) -> ibis.Value:
    """Standard deviation (of the population) of amounts, to the crown below, in CZK.

    In whole crowns even the sum of squares is an exact int64.

    Args:
        hellers: the amounts, never null.
        count: how many they are.
        where: which they are.
    """
    crowns = (hellers / 100).floor().cast("int64")
    mean_square = (crowns * crowns).sum(where=where) / count
    mean = crowns.sum(where=where) / count
    return ibis.greatest(mean_square - mean * mean, 0.0).sqrt()


def days_between(start: ibis.Value, end: ibis.Value) -> ibis.Value:
    """Days from the date `start` to the date `end`, int64."""
    return end.delta(start, unit="day").cast("int64")
