"""What an account is, apart from its transactions: age, owner, card, orders, district."""

from collections.abc import Mapping

import ibis
from ibis import _

from loan_pipeline.contracts.features import FEATURES_BY_NAME
from loan_pipeline.features.history import KEYS, days_between, hellers, in_czk

DAYS_PER_YEAR = 365.25


def profile(tables: Mapping[str, ibis.Table], spine: ibis.Table) -> ibis.Table:
    """One row per row of the spine: its keys and the features below.

    Clients, dispositions, permanent orders and districts carry no date in the bank; of the orders
    those that pay a loan (`UVER`) exist because of the loan and are left out.
    """
    account = tables["account"].select(
        "account_id", statement_frequency=_.frequency, opened_on=_.date
    )
    return (
        spine.left_join(account, "account_id")
        .left_join(_owners(tables), "account_id")
        .left_join(_orders(tables["order"]), "account_id")
        .left_join(_cards(tables, spine), KEYS)
        .select(
            *KEYS,
            "statement_frequency",
            "gender",
            "client_count",
            "order_amount_mean_czk",
            "district_salary_mean_czk",
            account_age_days=days_between(_.opened_on, _.as_of_date),
            age_years=days_between(_.birth_date, _.as_of_date).cast("float64") / DAYS_PER_YEAR,
            card_type=_.card_type.fill_null("none"),
        )
    )


def _owners(tables: Mapping[str, ibis.Table]) -> ibis.Table:
    """One row per account: its owner, the owner's district, and how many clients may use it."""
    disp = tables["disp"]
    accounts = disp.group_by("account_id").aggregate(
        client_id=disp.client_id.min(where=disp.type == "OWNER"),
        client_count=disp.client_id.nunique(),
    )
    client = tables["client"].select("client_id", "district_id", "gender", "birth_date")
    district = tables["district"].select(
        "district_id",
        district_salary_mean_czk=_.A11.cast("float64"),
    )
    return (
        accounts.left_join(client, "client_id")
        .drop("client_id_right")
        .left_join(district, "district_id")
        .drop("client_id", "district_id", "district_id_right")
    )


def _orders(order: ibis.Table) -> ibis.Table:
    """One row per account with permanent orders."""
    kept = order.filter(order.k_symbol != "UVER")
    return kept.group_by("account_id").aggregate(
        order_amount_mean_czk=in_czk(hellers(kept.amount).mean())
    )


def _cards(tables: Mapping[str, ibis.Table], spine: ibis.Table) -> ibis.Table:
    """One row per key with a card: the highest issued before the as-of date, to any client."""
    levels = FEATURES_BY_NAME["card_type"].codes
    card = tables["card"].join(tables["disp"].select("disp_id", "account_id"), "disp_id")
    card = card.select(
        "account_id",
        "issued",
        level=card.type.cases(*((code, number) for number, code in enumerate(levels))),
    )
    known = spine.join(card, [spine.account_id == card.account_id, card.issued < spine.as_of_date])
    highest = known.group_by(*KEYS).aggregate(level=known.level.max())
    return highest.select(
        *KEYS,
        card_type=highest.level.cases(*((number, code) for number, code in enumerate(levels))),
    )
