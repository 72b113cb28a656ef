"""The principal reasons for a refusal: a stable code and words for a letter, by feature.

A code is never given to another feature. The words hold whichever way the feature speaks against
the applicant, so a letter puts the value beside them. Protected characteristics have no reason.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class RefusalReason:
    """A reason as a notice of adverse action names it."""

    code: str
    text: str


REFUSAL_REASONS = {
    name: RefusalReason(code, text)
    for name, code, text in (
        ("amount", "L01", "The amount asked for"),
        ("duration", "L02", "The time asked for to pay the loan off"),
        ("payments", "L03", "The monthly payment"),
        ("account_age_days", "A01", "The time since the account was opened"),
        ("statement_frequency", "A02", "How often statements of the account are issued"),
        ("order_amount_mean_czk", "A03", "The amount of permanent orders, or that there are none"),
        ("transaction_amount_mean_czk", "A04", "The usual amount of a transaction"),
        ("transaction_count", "A05", "The number of transactions so far"),
        ("card_type", "A06", "The kind of card issued, or that none was"),
        ("district_salary_mean_czk", "A07", "The average salary where the applicant lives"),
        ("client_count", "A08", "The number of clients who may use the account"),
        ("balance_mean_czk", "B01", "The average balance of the account"),
        ("balance_last_czk", "B02", "The latest balance of the account"),
        ("balance_mean_90d_czk", "B03", "The average balance of the last 90 days"),
        ("balance_min_90d_czk", "B04", "The lowest balance of the last 90 days"),
        ("balance_low_mean_3m_czk", "B05", "The usual monthly low of the balance, last 3 months"),
        ("balance_low_mean_6m_czk", "B06", "The usual monthly low of the balance, last 6 months"),
        ("balance_low_std_12m_czk", "B07", "How much the monthly lows of the balance differ"),
        ("low_balance_share_90d", "B08", "The days with a low balance in the last 90 days"),
        ("low_balance_share_180d", "B09", "The days with a low balance in the last 180 days"),
        ("balance_below_zero_count", "B10", "Overdrafts of the account"),
        ("penalty_interest_czk", "B11", "Penalty interest charged for overdrafts"),
        ("income_mean_6m_czk", "I01", "The monthly income"),
        ("income_variation_6m", "I02", "How much the monthly income varies"),
        ("income_regular_share_12m", "I03", "The share of the income that comes regularly"),
        ("income_gap_share_12m", "I04", "The share of months without income"),
        ("days_since_income", "I05", "The time since the last income"),
        ("net_flow_mean_6m_czk", "I06", "What is left of a month's income"),
        ("net_flow_std_6m_czk", "I07", "How much it differs from month to month what is left"),
        ("net_flow_min_6m_czk", "I08", "What the worst month left"),
        ("debit_amount_mean_180d_czk", "S01", "The usual amount of a debit"),
        ("cash_share_90d", "S02", "The share of spending that is withdrawn in cash"),
        ("transfers_mean_monthly_czk", "S03", "The amount of bills paid by transfer"),
        ("transfer_recipient_count", "S04", "The number of recipients paid by transfer"),
        (
            "balance_min_90d_after_payment_czk",
            "P01",
            "What the monthly payment would leave of the lowest balance of the last 90 days",
        ),
        (
            "balance_low_mean_3m_after_payment_czk",
            "P02",
            "What the monthly payment would leave of the usual monthly low of the balance",
        ),
        (
            "net_flow_mean_6m_after_payment_czk",
            "P03",
            "What the monthly payment would leave of what remains of a month's income",
        ),
    )
}
