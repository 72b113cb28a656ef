"""One builder, two spines: the accounts at the loans' dates, and all accounts at one date."""

from collections.abc import Callable, Mapping
from datetime import date

import ibis
from ibis import _

from loan_pipeline.contracts.features import FEATURES, FEATURES_BY_NAME
from loan_pipeline.features.balances import daily_balances, monthly_lows
from loan_pipeline.features.cashflow import monthly_flows, months_of, overall, regular_income
from loan_pipeline.features.history import KEYS, last_year, transactions_before
from loan_pipeline.features.profile import profile
from loan_pipeline.scoring.affordability import combine

# Both engines flatten nested queries themselves, faster than Ibis does it for them.
ibis.options.sql.fuse_selects = False

ACCOUNT_FEATURES = tuple(feature for feature in FEATURES if feature.origin == "account")


def account_features(tables: Mapping[str, ibis.Table], spine: ibis.Table) -> ibis.Table:
    """The features of origin "account", each as of its row's date.

    Args:
        tables: the bank's raw tables by name, with the contract's types.
        spine: account_id, as_of_date; unique pairs.

    Returns:
        One row per row of the spine: account_id, as_of_date, the features in the contract's order.
    """
    known = transactions_before(tables["trans"], spine)
    recent = last_year(tables["trans"], spine)
    months = months_of(recent)
    by_month = months.group_by(*KEYS).aggregate(**monthly_lows(months), **monthly_flows(months))
    ever = overall(known)
    result = profile(tables, spine)
    parts = (ever, by_month, daily_balances(recent), regular_income(recent))
    for number, part in enumerate(parts):
        result = result.left_join(part, KEYS, rname=f"{{name}}_{number}")
    # What counts has a value for accounts without a transaction too; the rest is unknown.
    counts = {
        name: result[name].fill_null(0)
        for name in ever.columns
        if name not in KEYS and FEATURES_BY_NAME[name].null_means is None
    }
    names = [feature.name for feature in ACCOUNT_FEATURES]
    return result.select(*KEYS, **{name: counts.get(name, result[name]) for name in names})


def loan_features(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """Every feature of every loan, as of its date.

    Returns:
        One row per loan: loan_id, account_id, date, status, the features in the contract's order.
    """
    loan = tables["loan"]
    spine = loan.select("account_id", as_of_date=_.date).distinct()
    both = loan.select(
        "loan_id", "account_id", "date", "amount", "duration", "status", as_of_date=_.date
    ).join(account_features(tables, spine), KEYS)
    terms = {name: both[name].cast("float64") for name in ("amount", "duration")}
    account = {f.name: both[f.name] for f in ACCOUNT_FEATURES if not f.codes}
    combined = both.mutate(**combine(account, terms))
    return combined.select(
        "loan_id", "account_id", "date", "status", *(feature.name for feature in FEATURES)
    )


def serving_features(tables: Mapping[str, ibis.Table], as_of: date) -> ibis.Table:
    """The features of every account that is open as of one date, for scoring.

    Args:
        tables: as for `account_features`.
        as_of: what happened strictly before this date is known; an account opened later is not.
    """
    known = tables["account"].filter(_.date < as_of)
    spine = known.select("account_id", as_of_date=ibis.literal(as_of))
    return account_features(tables, spine)


# What the pipeline keeps of each snapshot: from the raw tables and the snapshot's as-of date.
FEATURE_TABLES: dict[str, Callable[[Mapping[str, ibis.Table], date], ibis.Table]] = {
    "loan_features": lambda tables, _as_of: loan_features(tables),
    "account_features": serving_features,
}
