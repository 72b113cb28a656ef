"""Features of small banks, worked out by hand."""

import math
from datetime import date
from decimal import Decimal
from statistics import pstdev

import ibis
import pyarrow as pa
import pytest

from loan_pipeline.bank.arrow import arrow_schema
from loan_pipeline.contracts.features import FEATURES
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.features import account_features, loan_features, serving_features
from loan_pipeline.features.builder import ACCOUNT_FEATURES
from loan_pipeline.scoring.affordability import combine

AS_OF = date(1995, 7, 1)
ACCOUNT = {"account_id": 1, "district_id": 1, "frequency": "POPLATEK TYDNE"}
DISTRICT = dict.fromkeys(("A4", "A5", "A6", "A7", "A8", "A9", "A14", "A15", "A16"), 1)


def booked(number: int, day: date, amount: str, balance: str, **other: object) -> dict[str, object]:
    """A transaction of account 1; a credit where the amount has no minus."""
    debit = amount.startswith("-")
    return {
        "trans_id": number,
        "account_id": 1,
        "date": day,
        "type": "VYDAJ" if debit else "PRIJEM",
        "operation": "VYBER" if debit else "VKLAD",
        "amount": Decimal(amount.lstrip("-")),
        "balance": Decimal(balance),
    } | other


def bank(**rows: list[dict[str, object]]) -> dict[str, ibis.Table]:
    """One account of one woman with a loan; `rows` replace a table's."""
    filled: dict[str, list[dict[str, object]]] = {
        "district": [
            DISTRICT | {"district_id": 1, "A2": "Praha", "A3": "Prague", "A11": 9000},
            DISTRICT | {"district_id": 2, "A2": "Brno", "A3": "Moravia", "A11": 8000},
        ],
        "client": [
            {"client_id": 7, "gender": "F", "birth_date": date(1955, 7, 1), "district_id": 2},
            {"client_id": 3, "gender": "M", "birth_date": date(1970, 1, 1), "district_id": 1},
        ],
        "account": [ACCOUNT | {"date": date(1994, 7, 1)}],
        "disp": [
            {"disp_id": 1, "client_id": 7, "account_id": 1, "type": "OWNER"},
            {"disp_id": 2, "client_id": 3, "account_id": 1, "type": "DISPONENT"},
        ],
        "loan": [
            {
                "loan_id": 5,
                "account_id": 1,
                "date": AS_OF,
                "amount": 24_000,
                "duration": 12,
                "payments": Decimal(2000),
                "status": "A",
            }
        ],
    }
    filled |= rows
    connection = ibis.duckdb.connect(threads=1)
    for table in TABLES:
        arrow = pa.Table.from_pylist(filled.get(table.name, []), schema=arrow_schema(table))
        connection.con.register(table.name, arrow)
    return {table.name: connection.table(table.name) for table in TABLES}


def loan(**rows: list[dict[str, object]]) -> dict[str, object]:
    """The one loan's features."""
    (only,) = loan_features(bank(**rows)).to_pyarrow().to_pylist()
    return dict(only)


def test_a_loan_has_the_contracts_features_in_the_contracts_order() -> None:
    assert list(loan()) == ["loan_id", "account_id", "date", "status"] + [f.name for f in FEATURES]


def test_a_loan_has_the_contracts_types() -> None:
    schema = loan_features(bank()).schema()
    types = {name: str(kind) for name, kind in schema.items()}
    assert {f.name: f.type for f in FEATURES}.items() <= types.items()


def test_the_owner_and_her_district_describe_the_account() -> None:
    features = loan()
    assert features["gender"] == "F"
    assert features["district_salary_mean_czk"] == 8000
    assert features["client_count"] == 2
    assert features["age_years"] == pytest.approx(40, abs=0.01)
    assert features["account_age_days"] == 365
    assert features["statement_frequency"] == "POPLATEK TYDNE"


def test_the_highest_card_of_any_client_counts_if_it_was_issued_before() -> None:
    cards = [
        {"card_id": 1, "disp_id": 1, "type": "junior", "issued": date(1995, 1, 1)},
        {"card_id": 2, "disp_id": 2, "type": "classic", "issued": date(1995, 6, 30)},
        {"card_id": 3, "disp_id": 1, "type": "gold", "issued": AS_OF},
    ]
    assert loan(card=cards)["card_type"] == "classic"
    assert loan(card=cards[2:])["card_type"] == "none"


def test_orders_that_pay_a_loan_are_left_out_of_the_average() -> None:
    orders = [
        {"order_id": n, "account_id": 1, "bank_to": "AB", "account_to": 1, "amount": Decimal(a)}
        | {"k_symbol": k}
        for n, (a, k) in enumerate([("100.5", "SIPO"), ("200", " "), ("9000", "UVER")])
    ]
    assert loan(order=orders)["order_amount_mean_czk"] == 150.25
    assert loan(order=orders[2:])["order_amount_mean_czk"] is None


def test_an_account_without_transactions_has_zero_counts_and_no_balance() -> None:
    features = loan(trans=[booked(1, AS_OF, "100", "100")])
    for name in ("transaction_count", "balance_below_zero_count", "transfer_recipient_count"):
        assert features[name] == 0
    assert features["penalty_interest_czk"] == 0
    for feature in FEATURES:
        if feature.null_means is None:
            assert features[feature.name] is not None, feature.name
    assert features["balance_last_czk"] is None
    assert features["net_flow_mean_6m_after_payment_czk"] is None


def test_every_day_counts_in_a_mean_balance_and_none_before_the_first_transaction() -> None:
    features = loan(
        trans=[
            booked(1, date(1995, 5, 2), "1000", "1000"),  # stood 50 of the last 60 days
            booked(2, date(1995, 6, 21), "-700.6", "299.4"),  # 10 days
        ]
    )
    assert features["balance_mean_90d_czk"] == pytest.approx((50 * 1000 + 10 * 299.4) / 60)
    assert features["balance_last_czk"] == features["balance_min_90d_czk"] == 299.4
    assert features["balance_mean_czk"] == pytest.approx((1000 + 299.4) / 2)


def test_a_balance_that_no_transaction_touched_still_stands() -> None:
    features = loan(trans=[booked(1, date(1994, 12, 1), "20000", "20000")])
    assert features["balance_min_90d_czk"] == 20_000
    assert features["balance_mean_90d_czk"] == 20_000
    assert features["balance_last_czk"] == 20_000
    assert features["balance_min_90d_after_payment_czk"] == 18_000
    assert features["income_gap_share_12m"] == 0
    assert features["balance_low_mean_6m_czk"] is None  # no transaction in these months


def test_balances_and_months_look_back_360_days() -> None:
    features = loan(trans=[booked(1, date(1994, 7, 5), "20000", "20000")])  # 361 days
    assert features["transaction_count"] == 1
    assert features["days_since_income"] == 361
    assert features["balance_last_czk"] is None
    assert features["income_gap_share_12m"] is None
    features = loan(trans=[booked(1, date(1994, 7, 6), "20000", "20000")])
    assert features["balance_last_czk"] == 20_000
    assert features["income_gap_share_12m"] == 0


def test_a_day_ends_with_its_debits_whatever_the_numbers_of_its_transactions() -> None:
    day = date(1995, 6, 30)
    features = loan(
        trans=[
            booked(9, day, "500", "500"),
            booked(5, day, "50", "550"),
            booked(2, day, "-100", "450"),
            booked(3, day, "-430", "20"),
        ]
    )
    assert features["balance_last_czk"] == 20
    only_credits = loan(trans=[booked(9, day, "500", "500"), booked(5, day, "50", "550")])
    assert only_credits["balance_last_czk"] == 550


def test_low_and_negative_balances_are_shares_of_days() -> None:
    features = loan(
        trans=[
            booked(1, date(1995, 4, 2), "30000", "30000"),  # 90 days before
            booked(2, date(1995, 5, 2), "-25000", "5000"),  # 60 days before
            booked(3, date(1995, 6, 25), "-5100", "-100"),  # 6 days before
            booked(4, date(1995, 6, 30), "-1.5", "-101.5", k_symbol="SANKC. UROK"),
        ]
    )
    assert features["low_balance_share_90d"] == pytest.approx(60 / 90)
    assert features["low_balance_share_180d"] == pytest.approx(60 / 90)
    assert features["balance_below_zero_count"] == 2
    assert features["penalty_interest_czk"] == 1.5


def test_months_are_thirty_days_back_from_the_date() -> None:
    features = loan(
        trans=[
            booked(1, date(1995, 4, 15), "8000", "8000"),  # third month back
            booked(2, date(1995, 5, 10), "-3000", "5000"),  # second
            booked(3, date(1995, 6, 2), "8000", "13000"),  # first: 29 days back
            booked(4, date(1995, 6, 20), "60", "13060", k_symbol="UROK", operation=None),
            booked(5, date(1995, 6, 30), "-4000", "9060"),
        ]
    )
    nets = [4060, -3000, 8000]
    assert features["net_flow_mean_6m_czk"] == pytest.approx(sum(nets) / 3)
    assert features["net_flow_std_6m_czk"] == pytest.approx(pstdev(nets))
    assert features["net_flow_min_6m_czk"] == -3000
    assert features["balance_low_mean_3m_czk"] == pytest.approx((9060 + 5000 + 8000) / 3)
    assert features["balance_low_std_12m_czk"] == pytest.approx(pstdev([9060, 5000, 8000]))
    assert features["income_mean_6m_czk"] == pytest.approx(16_000 / 3)
    variation = pstdev([8000, 0, 8000]) / (16_000 / 3)
    assert features["income_variation_6m"] == pytest.approx(variation)
    assert features["income_gap_share_12m"] == pytest.approx(1 / 3)
    assert features["income_regular_share_12m"] == 1
    assert features["days_since_income"] == 29
    assert features["net_flow_mean_6m_after_payment_czk"] == pytest.approx(sum(nets) / 3 - 2000)


def test_transfers_and_cash_are_told_apart() -> None:
    transfer = {"operation": "PREVOD NA UCET", "bank": "AB"}
    features = loan(
        trans=[
            booked(1, date(1995, 5, 2), "10000", "10000"),  # 60 days of history
            booked(2, date(1995, 5, 20), "-1000", "9000", account=1, **transfer),
            booked(3, date(1995, 6, 20), "-1000", "8000", account=1, **transfer),
            booked(4, date(1995, 6, 21), "-400", "7600", account=2, **transfer),
            booked(5, date(1995, 6, 22), "-600", "7000"),
        ]
    )
    assert features["transfer_recipient_count"] == 2
    assert features["transfers_mean_monthly_czk"] == 1200
    assert features["cash_share_90d"] == pytest.approx(600 / 3000)
    assert features["debit_amount_mean_180d_czk"] == 750


def test_an_account_with_two_loans_has_the_features_of_either_date() -> None:
    first = {"loan_id": 1, "account_id": 1, "amount": 1200, "duration": 12, "status": "A"}
    loans = [
        first | {"date": date(1995, 1, 1), "payments": Decimal(100)},
        first | {"loan_id": 2, "date": AS_OF, "payments": Decimal(100)},
        first | {"loan_id": 3, "date": AS_OF, "amount": 2400, "payments": Decimal(200)},
    ]
    trans = [booked(1, date(1994, 12, 31), "5", "5"), booked(2, date(1995, 1, 1), "1", "6")]
    rows = loan_features(bank(loan=loans, trans=trans)).order_by("loan_id").to_pyarrow().to_pylist()
    assert [row["transaction_count"] for row in rows] == [1, 2, 2]
    assert [row["payments"] for row in rows] == [100, 100, 200]


def test_serving_gives_every_account_as_of_one_date() -> None:
    accounts = [ACCOUNT | {"date": date(1994, 7, 1)}]
    accounts.append(ACCOUNT | {"account_id": 2, "date": date(1994, 7, 2)})
    trans = [booked(1, date(1995, 6, 30), "5", "5"), booked(2, AS_OF, "1", "6")]
    table = serving_features(bank(account=accounts, trans=trans), AS_OF).order_by("account_id")
    assert list(table.columns) == ["account_id", "as_of_date", *(f.name for f in ACCOUNT_FEATURES)]
    rows = table.to_pyarrow().to_pylist()
    assert [(r["account_id"], r["as_of_date"], r["transaction_count"]) for r in rows] == [
        (1, AS_OF, 1),
        (2, AS_OF, 0),
    ]


def test_the_builder_takes_any_spine() -> None:
    spine = ibis.memtable({"account_id": [1, 1], "as_of_date": [date(1995, 1, 1), AS_OF]})
    tables = bank(trans=[booked(1, date(1995, 2, 1), "5", "5")])
    rows = account_features(tables, spine).order_by("as_of_date").to_pyarrow().to_pylist()
    assert [row["transaction_count"] for row in rows] == [0, 1]


def test_what_is_missing_stays_missing_when_a_loan_is_added() -> None:
    unknown = {f.name: math.nan for f in ACCOUNT_FEATURES}
    combined = combine(unknown, {"amount": 1200.0, "duration": 12.0})
    assert combined["payments"] == 100
    assert math.isnan(combined["balance_min_90d_after_payment_czk"])
    assert set(combined) == {f.name for f in FEATURES if f.origin != "account"}
