"""No feature of a loan moves, whatever happens on its date or later; and a leak would be seen."""

from collections.abc import Callable
from functools import cache

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ibis import _

from loan_pipeline.contracts.features import FEATURES
from loan_pipeline.features import builder, history, loan_features, profile
from loan_pipeline_tests.helpers.later_rows import open_tables, with_other_later_rows
from loan_pipeline_tests.helpers.sample_tables import sample_tables

pytestmark = pytest.mark.slow

NAMES = ["loan_id", *(feature.name for feature in FEATURES)]


@cache
def bank() -> dict[str, pa.Table]:
    return sample_tables(0.04, 5)


def features(tables: dict[str, pa.Table]) -> pa.Table:
    return loan_features(open_tables(tables)).select(*NAMES).order_by("loan_id").to_pyarrow()


@cache
def as_it_is() -> pa.Table:
    return features(bank())


def moved(seed: int = 1, dropped: float = 0.5, changed: float = 0.5, added: int = 3) -> list[str]:
    """The features that another future moves."""
    before = as_it_is()
    after = features(
        with_other_later_rows(bank(), seed=seed, dropped=dropped, changed=changed, added=added)
    )
    return [name for name in NAMES if not before[name].equals(after[name])]


def test_the_bank_has_loans_with_a_past_and_a_future() -> None:
    trans = open_tables(bank())["trans"]
    loan = open_tables(bank())["loan"].to_pandas().set_index("account_id")["date"]
    rows = trans.to_pandas()
    known = rows["date"] < rows["account_id"].map(loan)
    later = rows["date"] >= rows["account_id"].map(loan)
    assert len(loan) >= 20
    assert loan.index.is_unique
    assert known.sum() > 500
    assert later.sum() > 500


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    dropped=st.floats(0, 1),
    changed=st.floats(0, 1),
    added=st.integers(0, 8),
)
def test_no_feature_moves_with_what_happens_on_the_loans_date_or_later(
    seed: int, dropped: float, changed: float, added: int
) -> None:
    assert moved(seed, dropped, changed, added) == []


def _day_of_the_loan_too(trans: ibis.Table, spine: ibis.Table) -> ibis.Table:
    return history.transactions_before(
        trans,
        spine.mutate(next=_.as_of_date + ibis.interval(days=1)).select(
            "account_id", as_of_date="next"
        ),
    ).mutate(as_of_date=_.as_of_date - ibis.interval(days=1), days_before=_.days_before - 1)


def _all_transactions(trans: ibis.Table, spine: ibis.Table) -> ibis.Table:
    far = spine.mutate(true_date=spine.as_of_date)
    known = history.transactions_before(
        trans, far.select("account_id", as_of_date=ibis.date(2100, 1, 1)).distinct()
    )
    return known.drop("as_of_date").join(spine, "account_id")


def _every_card(tables: dict[str, ibis.Table], spine: ibis.Table) -> ibis.Table:
    issued_long_ago = tables["card"].mutate(issued=ibis.date(1900, 1, 1))
    return profile.profile(dict(tables) | {"card": issued_long_ago}, spine)


def _every_order(tables: dict[str, ibis.Table], spine: ibis.Table) -> ibis.Table:
    disguised = tables["order"].mutate(k_symbol=ibis.literal("SIPO"))
    return profile.profile(dict(tables) | {"order": disguised}, spine)


@pytest.mark.parametrize(
    ("name", "leaking", "expected"),
    [
        ("transactions_before", _day_of_the_loan_too, "transaction_count"),
        ("transactions_before", _all_transactions, "balance_mean_czk"),
        ("profile", _every_card, "card_type"),
        ("profile", _every_order, "order_amount_mean_czk"),
    ],
    ids=["the day of the loan", "all transactions", "later cards", "orders that pay the loan"],
)
def test_features_that_leak_are_caught(
    name: str,
    leaking: Callable[..., ibis.Table],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(builder, name, leaking)
    as_it_is.cache_clear()
    try:
        assert expected in moved()
    finally:
        as_it_is.cache_clear()
