"""The sample bank's figures by the names that `docs/sample-bank.md` gives them."""

import duckdb

from loan_pipeline.contracts.tables import TABLES

_LOANS = """
    SELECT min(amount) AS "smallest loan, CZK", median(amount) AS "median loan, CZK",
        max(amount) AS "largest loan, CZK", min(payments) AS "smallest payment, CZK",
        max(payments) AS "largest payment, CZK"
    FROM loan
"""
# The near-rules, as shares of bad loans, and how well single features rank them.
_BEFORE = """
    WITH known AS (
        SELECT loan_id, status IN ('B', 'D') AS bad, payments, loan.date - trans.date AS days,
            balance, trans.k_symbol
        FROM loan JOIN trans ON loan.account_id = trans.account_id AND trans.date < loan.date
    ), loans AS (
        SELECT loan_id, bad, min(balance) < 0 AS overdrawn,
            bool_or(coalesce(k_symbol, '') = 'SANKC. UROK') AS fined,
            min(balance) FILTER (days <= 90) AS lowest_90d,
            avg(balance) FILTER (days <= 30) / payments AS balance_to_payment
        FROM known GROUP BY loan_id, bad, payments
    ), pairs AS (
        SELECT good.lowest_90d > bad.lowest_90d AS lowest_higher,
            good.balance_to_payment > bad.balance_to_payment AS ratio_higher
        FROM loans AS good JOIN loans AS bad ON bad.bad AND NOT good.bad
    )
    SELECT
        (SELECT avg(bad::INT) FROM loans WHERE overdrawn) AS "bad, of loans overdrawn before",
        (SELECT avg(bad::INT) FROM loans WHERE fined)
            AS "bad, of loans with penalty interest before",
        (SELECT avg((status IN ('B', 'D'))::INT) FROM loan JOIN disp USING (account_id)
            WHERE disp.type = 'DISPONENT') AS "bad, of loans with a second client",
        (SELECT avg(lowest_higher::INT) FROM pairs) AS "ROC AUC of the lowest balance of 90 days",
        (SELECT avg(ratio_higher::INT) FROM pairs)
            AS "ROC AUC of the mean balance of 30 days over the payment"
"""


def statistics(bank: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Figures by name."""
    figures: dict[str, float] = {}
    for table in TABLES:
        figures[f"{table.name}, rows"] = len(bank.table(table.name))
    for code, count in bank.sql("SELECT status, count(*) FROM loan GROUP BY ALL").fetchall():
        figures[f"loans of status {code}"] = count
    for column in ("type", "operation", "k_symbol"):
        counts = bank.sql(f"SELECT {column}, count(*) FROM trans GROUP BY ALL").fetchall()
        for code, count in counts:
            shown = {None: "none", " ": "blank"}.get(code, code)
            figures[f"transactions of {column} {shown}"] = count
    for query in (_LOANS, _BEFORE):
        found = bank.sql(query)
        values = (float(value) for value in found.fetchone())
        figures |= dict(zip(found.columns, values, strict=True))
    return figures
