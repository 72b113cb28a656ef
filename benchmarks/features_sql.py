"""The account features as one query written by hand for DuckDB: the limit of its SQL."""

from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from loan_pipeline.contracts.features import FEATURES, FEATURES_BY_NAME

_LEVELS = FEATURES_BY_NAME["card_type"].codes

_QUERY = """
WITH known AS (
    SELECT account_id, amount::DOUBLE AS amount, balance::DOUBLE AS balance, operation, k_symbol,
        account AS recipient, type = 'PRIJEM' AS credit, $as_of - date AS d,
        type = 'PRIJEM' AND k_symbol IS DISTINCT FROM 'UROK' AS income
    FROM trans WHERE date < $as_of
), ever AS (
    SELECT account_id, count(*) AS transaction_count, avg(amount) AS transaction_amount_mean_czk,
        avg(balance) AS balance_mean_czk, count(*) FILTER (balance < 0) AS balance_below_zero_count,
        coalesce(sum(amount) FILTER (k_symbol = 'SANKC. UROK'), 0) AS penalty_interest_czk,
        min(d) FILTER (income) AS days_since_income,
        avg(amount) FILTER (NOT credit AND d <= 180) AS debit_amount_mean_180d_czk,
        coalesce(sum(amount) FILTER (operation = 'VYBER' AND d <= 90), 0)
            / nullif(sum(amount) FILTER (NOT credit AND d <= 90), 0) AS cash_share_90d,
        coalesce(sum(amount) FILTER (operation = 'PREVOD NA UCET'), 0) * 30 / max(d)
            AS transfers_mean_monthly_czk,
        count(DISTINCT recipient) FILTER (operation = 'PREVOD NA UCET') AS transfer_recipient_count
    FROM known GROUP BY account_id
), year AS (
    SELECT * FROM known WHERE d <= 360
), day_ends AS (
    SELECT account_id, d, coalesce(min(balance) FILTER (NOT credit), max(balance)) AS balance
    FROM year GROUP BY ALL
), stood AS (
    SELECT *, coalesce(lead(d) OVER (PARTITION BY account_id ORDER BY d DESC), 0) AS until,
        least(d, 90) - least(until, 90) AS q, least(d, 180) - least(until, 180) AS h
    FROM day_ends
), days AS (
    SELECT account_id, max(balance) FILTER (until = 0) AS balance_last_czk,
        sum(balance * q) / sum(q) AS balance_mean_90d_czk,
        min(balance) FILTER (until < 90) AS balance_min_90d_czk,
        coalesce(sum(q) FILTER (balance < 15000), 0) / sum(q) AS low_balance_share_90d,
        coalesce(sum(h) FILTER (balance < 15000), 0) / sum(h) AS low_balance_share_180d
    FROM stood GROUP BY account_id
), month_sums AS (
    SELECT account_id, (d - 1) // 30 AS month, min(balance) AS low,
        coalesce(sum(amount) FILTER (income), 0) AS earned,
        sum(CASE WHEN credit THEN amount ELSE -amount END) AS net
    FROM year GROUP BY ALL
), months AS (
    SELECT account_id, avg(low) FILTER (month < 3) AS balance_low_mean_3m_czk,
        avg(low) FILTER (month < 6) AS balance_low_mean_6m_czk,
        stddev_pop(low) AS balance_low_std_12m_czk,
        avg(earned) FILTER (month < 6) AS income_mean_6m_czk,
        stddev_pop(earned) FILTER (month < 6) / nullif(income_mean_6m_czk, 0)
            AS income_variation_6m,
        count(*) FILTER (earned = 0) / count(*) AS income_gap_share_12m,
        avg(net) FILTER (month < 6) AS net_flow_mean_6m_czk,
        stddev_pop(net) FILTER (month < 6) AS net_flow_std_6m_czk,
        min(net) FILTER (month < 6) AS net_flow_min_6m_czk
    FROM month_sums GROUP BY account_id
), amounts AS (
    SELECT account_id, count(*) AS times, sum(amount) AS total
    FROM year WHERE income GROUP BY account_id, amount
), regular AS (
    SELECT account_id,
        coalesce(sum(total) FILTER (times > 1), 0) / sum(total) AS income_regular_share_12m
    FROM amounts GROUP BY account_id
), owners AS (
    SELECT account_id, gender, ($as_of - birth_date) / 365.25 AS age_years,
        "A11"::DOUBLE AS district_salary_mean_czk
    FROM disp JOIN client USING (client_id)
        JOIN district ON district.district_id = client.district_id
    WHERE disp.type = 'OWNER'
), clients AS (
    SELECT account_id, count(DISTINCT client_id) AS client_count FROM disp GROUP BY account_id
), orders AS (
    SELECT account_id, avg(amount)::DOUBLE AS order_amount_mean_czk
    FROM "order" WHERE k_symbol <> 'UVER' GROUP BY account_id
), cards AS (
    SELECT account_id, {levels}[max(list_position({levels}, card.type))] AS card_type
    FROM card JOIN disp USING (disp_id) WHERE issued < $as_of GROUP BY account_id
)
SELECT account_id, {columns}
FROM account LEFT JOIN owners USING (account_id) LEFT JOIN clients USING (account_id)
    LEFT JOIN orders USING (account_id) LEFT JOIN cards USING (account_id)
    LEFT JOIN ever USING (account_id) LEFT JOIN days USING (account_id)
    LEFT JOIN months USING (account_id) LEFT JOIN regular USING (account_id)
WHERE account.date < $as_of ORDER BY account_id
"""
_EXPRESSIONS = {
    "statement_frequency": "frequency",
    "account_age_days": "$as_of - account.date",
    "card_type": "coalesce(card_type, 'none')",
}


def account_features(
    connection: duckdb.DuckDBPyConnection, paths: dict[str, list[Path]], as_of: date
) -> pa.RecordBatchReader:
    """One row per account, by account_id, while it is read.

    Args:
        connection: with the limits that are to hold.
        paths: the Parquet files of each table.
        as_of: everything strictly before this date is known.
    """
    for name, files in paths.items():
        connection.read_parquet([str(file) for file in files]).create_view(name)
    columns = ", ".join(_column(f.name, f.unit, f.null_means) for f in FEATURES
                        if f.origin == "account")  # fmt: skip
    levels = "[" + ", ".join(f"'{code}'" for code in _LEVELS) + "]"
    query = _QUERY.format(columns=columns, levels=levels)
    return connection.execute(query, {"as_of": as_of}).to_arrow_reader()


def _column(name: str, unit: str, null_means: str | None) -> str:
    expression = _EXPRESSIONS.get(name, name)
    if unit in ("count", "CZK") and null_means is None:
        expression = f"coalesce({expression}, 0)"
    return f"{expression} AS {name}"
