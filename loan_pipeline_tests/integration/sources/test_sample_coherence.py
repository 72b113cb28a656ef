"""Every account of the sample bank is kept as a bank would keep it."""

import duckdb
import pytest

from loan_pipeline.contracts.tables import TABLES, Table
from loan_pipeline_tests.helpers.sample_tables import sample_bank

pytestmark = pytest.mark.slow

# Each transaction with what came before it on its account.
BOOKED = """
    CREATE OR REPLACE TEMP TABLE booked AS SELECT *,
        CASE type WHEN 'PRIJEM' THEN amount ELSE -amount END AS signed,
        lag(balance) OVER account AS before,
        lag(date) OVER account AS date_before,
        lag(type) OVER account AS type_before,
        min(balance) OVER (account ROWS UNBOUNDED PRECEDING) AS lowest_so_far
    FROM trans WINDOW account AS (PARTITION BY account_id ORDER BY trans_id)
"""
# Exceptions to a rule, by rule: each query must find nothing.
RULES = {
    "an account starts on its opening date with a cash deposit": """
        SELECT * FROM account LEFT JOIN (SELECT * FROM booked WHERE before IS NULL) AS first
        USING (account_id)
        WHERE first.date IS DISTINCT FROM account.date OR operation IS DISTINCT FROM 'VKLAD'
            OR amount IS DISTINCT FROM balance OR signed < 0
    """,
    "balances chain exactly": """
        SELECT * FROM booked WHERE before IS NOT NULL AND balance <> before + signed
    """,
    "bookings follow their dates": "SELECT * FROM booked WHERE date < date_before",
    "within a day credits are booked before debits": """
        SELECT * FROM booked
        WHERE date = date_before AND type = 'PRIJEM' AND type_before <> 'PRIJEM'
    """,
    "every amount is positive": "SELECT * FROM trans WHERE amount <= 0",
    "interest comes once a month, on its last day": """
        SELECT account_id, last_day(date) FROM trans WHERE k_symbol = 'UROK'
        GROUP BY ALL HAVING count(*) > 1 OR min(date) <> last_day(min(date))
    """,
    "an account in credit all month is paid interest": """
        SELECT * FROM (
            SELECT account_id, last_day(date) AS month, min(balance) AS lowest,
                count(*) FILTER (k_symbol = 'UROK') AS paid
            FROM trans GROUP BY ALL
        ) WHERE lowest > 1000 AND paid <> 1
    """,
    "fees are those of the statement frequency, on the month's last day": """
        SELECT * FROM trans JOIN account USING (account_id) WHERE k_symbol = 'SLUZBY' AND (
            trans.date <> last_day(trans.date) OR amount <> CASE frequency
                WHEN 'POPLATEK MESICNE' THEN 14.60 WHEN 'POPLATEK TYDNE' THEN 30 ELSE 100 END)
    """,
    "penalty interest comes only after a negative balance": """
        SELECT * FROM booked WHERE k_symbol = 'SANKC. UROK' AND NOT (lowest_so_far < 0)
    """,
    "a negative balance brings penalty interest by the end of its month": """
        SELECT account_id, last_day(date) FROM trans GROUP BY ALL
        HAVING min(balance) < 0 AND count(*) FILTER (k_symbol = 'SANKC. UROK') <> 1
    """,
    "transfers to other banks are permanent orders": """
        SELECT * FROM trans LEFT JOIN "order" ON trans.account_id = "order".account_id
            AND bank = bank_to AND account = account_to AND trans.amount = "order".amount
            AND coalesce(trans.k_symbol, 'LEASING') = "order".k_symbol
        WHERE operation = 'PREVOD NA UCET' AND order_id IS NULL
    """,
    "permanent orders are carried out, once a month at most": """
        SELECT order_id, count(trans_id) AS times, count(DISTINCT last_day(date)) AS months
        FROM "order" LEFT JOIN trans ON trans.account_id = "order".account_id
            AND bank = bank_to AND account = account_to
        WHERE "order".k_symbol <> 'UVER'
        GROUP BY order_id HAVING times = 0 OR times <> months
    """,
    "loan payments are the loan's, after its date, until it ends": """
        SELECT * FROM trans LEFT JOIN loan USING (account_id) WHERE k_symbol = 'UVER' AND (
            loan_id IS NULL OR trans.amount <> payments OR trans.date <= loan.date
            OR trans.date > loan.date + to_months(duration::INTEGER))
    """,
    "each loan has its own permanent order": """
        SELECT * FROM loan FULL JOIN (SELECT * FROM "order" WHERE k_symbol = 'UVER') AS paying
        USING (account_id) WHERE payments IS DISTINCT FROM paying.amount
    """,
    "good loans are paid every month, bad ones are not": """
        SELECT loan_id FROM loan
        LEFT JOIN (SELECT * FROM trans WHERE k_symbol = 'UVER') AS paid USING (account_id)
        GROUP BY loan_id, status, loan.date, duration
        HAVING (status IN ('A', 'C')) <> (count(trans_id) = least(
            duration, datediff('month', loan.date, DATE '1998-12-31')))
    """,
    "finished loans have ended, running ones have not": """
        SELECT * FROM loan WHERE (status IN ('A', 'B'))
            <> (date + to_months(duration::INTEGER) <= DATE '1998-12-31')
    """,
    "a loan's amount is its payments": "SELECT * FROM loan WHERE amount <> payments * duration",
    "cards are owners', issued after the account's opening": """
        SELECT * FROM card JOIN disp USING (disp_id) JOIN account USING (account_id)
        WHERE disp.type <> 'OWNER' OR issued <= date
    """,
    "cards are used after their issue": """
        SELECT * FROM trans LEFT JOIN (SELECT * FROM card JOIN disp USING (disp_id)) AS card
        USING (account_id) WHERE operation = 'VYBER KARTOU' AND (issued >= date) IS NOT FALSE
    """,
    "every account has one owner and at most one more client": """
        SELECT account_id FROM account LEFT JOIN disp USING (account_id) GROUP BY account_id
        HAVING count(*) FILTER (type = 'OWNER') <> 1 OR count(*) > 2
    """,
    "clients are of age when their account is opened": """
        SELECT * FROM client JOIN disp USING (client_id) JOIN account USING (account_id)
        WHERE birth_date + INTERVAL 18 YEAR > date
    """,
    "pensions are for the old": """
        SELECT * FROM trans JOIN disp USING (account_id) JOIN client USING (client_id)
        WHERE k_symbol = 'DUCHOD' AND disp.type = 'OWNER' AND birth_date + INTERVAL 55 YEAR > date
    """,
}


@pytest.fixture(scope="module")
def bank() -> duckdb.DuckDBPyConnection:
    connection = sample_bank()
    connection.execute(BOOKED)
    return connection


@pytest.mark.parametrize("rule", RULES)
def test_no_account_breaks_the_rule_that(rule: str, bank: duckdb.DuckDBPyConnection) -> None:
    exceptions = bank.sql(RULES[rule])
    assert exceptions.fetchone() is None, f"{rule}\n{exceptions}"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_keys_are_unique_and_references_intact_over_several_chunks(table: Table) -> None:
    bank = sample_bank(1.02, 5)
    name, key = f'"{table.name}"', table.primary_key
    [(rows, keys)] = bank.sql(f"SELECT count(*), count(DISTINCT {key}) FROM {name}").fetchall()
    assert rows == keys
    for reference in table.foreign_keys:
        orphans = bank.sql(
            f'SELECT * FROM {name} ANTI JOIN "{reference.table}" USING ({reference.column})'
        )
        assert orphans.fetchone() is None
