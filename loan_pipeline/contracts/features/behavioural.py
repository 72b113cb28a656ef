"""What the behavioural set adds: the account's history, and the loan against it.

A month is 30 days, counted back from the as-of date; months without a transaction are left out.
Balances of days count from the first transaction of the last 12 months on.
Income is every credit but the interest that the bank pays.
"""

from functools import partial

from loan_pipeline.contracts.features.feature import Feature

_MAXIMUM_CZK = 1_000_000_000
_LARGEST_PAYMENT = 100_000_000  # the largest amount, paid back in a month
_NO_HISTORY = "no transaction yet"

_account = partial(Feature, origin="account", null_means=_NO_HISTORY)
_balance = partial(_account, unit="CZK", minimum=-_MAXIMUM_CZK, maximum=_MAXIMUM_CZK)
_amount = partial(_account, unit="CZK", minimum=0, maximum=_MAXIMUM_CZK)
_share = partial(_account, unit="share", minimum=0, maximum=1)
_count = partial(_account, unit="count", minimum=0, maximum=100_000_000, null_means=None)
_NONE_IN_YEAR = "no transaction in the last 12 months"
_NONE_IN_HALF_YEAR = "no transaction in the last 6 months"
_NONE_IN_QUARTER = "no transaction in the last 3 months"

_BALANCES: tuple[Feature, ...] = (
    _balance(
        name="balance_last_czk",
        label="latest balance",
        definition="Balance at the end of the day before the as-of date.",
        null_means=_NONE_IN_YEAR,
    ),
    _balance(
        name="balance_mean_90d_czk",
        label="average balance, last 90 days",
        definition="Mean balance at the end of each of the 90 days before the as-of date, with or "
        "without transactions.",
        null_means=_NONE_IN_YEAR,
    ),
    _balance(
        name="balance_min_90d_czk",
        label="lowest balance, last 90 days",
        definition="Lowest balance at the end of one of the 90 days before the as-of date.",
        null_means=_NONE_IN_YEAR,
    ),
    *(
        _balance(
            name=f"balance_low_mean_{months}m_czk",
            label=f"usual monthly low of the balance, last {months} months",
            definition="Mean of each month's lowest balance after a transaction, over the "
            f"{months} months before the as-of date.",
            null_means=nothing,
        )
        for months, nothing in ((3, _NONE_IN_QUARTER), (6, _NONE_IN_HALF_YEAR))
    ),
    _amount(
        name="balance_low_std_12m_czk",
        label="how far the monthly lows differ, last 12 months",
        definition="Standard deviation of each month's lowest balance after a transaction, over "
        "the 12 months before the as-of date.",
        null_means=_NONE_IN_YEAR,
    ),
    *(
        _share(
            name=f"low_balance_share_{days}d",
            label=f"days with less than 15,000 CZK, last {days} days",
            definition=f"Share of the {days} days before the as-of date that ended with a balance "
            "below 15,000 CZK.",
            null_means=_NONE_IN_YEAR,
        )
        for days in (90, 180)
    ),
)

_TROUBLE: tuple[Feature, ...] = (
    _count(
        name="balance_below_zero_count",
        label="transactions that left the account overdrawn",
        definition="Transactions before the as-of date with a balance below zero afterwards.",
    ),
    _amount(
        name="penalty_interest_czk",
        label="penalty interest charged",
        definition="Sum of the interest charged on negative balances before the as-of date.",
        null_means=None,
    ),
)

_CASH_FLOW: tuple[Feature, ...] = (
    _amount(
        name="income_mean_6m_czk",
        label="monthly income, last 6 months",
        definition="Mean income of the 6 months before the as-of date.",
        null_means=_NONE_IN_HALF_YEAR,
    ),
    _account(
        name="income_variation_6m",
        label="how unsteady the income is, last 6 months",
        unit="ratio",
        definition="Standard deviation of the monthly income over its mean, 6 months before the "
        "as-of date.",
        minimum=0,
        maximum=100,
        null_means="no income in the last 6 months",
    ),
    _share(
        name="income_regular_share_12m",
        label="income that comes regularly, last 12 months",
        definition="Share of the income of the 12 months before the as-of date in amounts that "
        "came at least twice, as a salary or a pension does.",
        null_means="no income in the last 12 months",
    ),
    _share(
        name="income_gap_share_12m",
        label="months without income, last 12 months",
        definition="Share of the 12 months before the as-of date that had no income.",
        null_means=_NONE_IN_YEAR,
    ),
    _account(
        name="days_since_income",
        label="days since the last income",
        unit="days",
        definition="Days from the last income to the as-of date.",
        minimum=1,
        maximum=40_000,
        null_means="no income yet",
    ),
    *(
        _balance(
            name=f"net_flow_{statistic}_6m_czk",
            label=f"{words}, last 6 months",
            definition=f"{sentence} of the monthly credits less debits, 6 months before the as-of "
            "date.",
            null_means=_NONE_IN_HALF_YEAR,
            minimum=minimum,
        )
        for statistic, words, sentence, minimum in (
            ("mean", "what is left of a month's income", "Mean", -_MAXIMUM_CZK),
            ("std", "how unsteady it is what months leave", "Standard deviation", 0),
            ("min", "what the worst month left", "Lowest", -_MAXIMUM_CZK),
        )
    ),
    _amount(
        name="debit_amount_mean_180d_czk",
        label="average debit, last 180 days",
        definition="Mean amount of the debits in the 180 days before the as-of date.",
        null_means="no debit in the last 180 days",
    ),
    _share(
        name="cash_share_90d",
        label="spending in cash, last 90 days",
        definition="Share of the money debited in the 90 days before the as-of date that was "
        "withdrawn in cash.",
        null_means="no debit in the last 90 days",
    ),
    _amount(
        name="transfers_mean_monthly_czk",
        label="monthly transfers to other banks",
        definition="Transfers to accounts at other banks before the as-of date (household, "
        "insurance, leasing and the like), per month since the first transaction.",
    ),
    _count(
        name="transfer_recipient_count",
        label="recipients of transfers",
        definition="Different accounts that transfers went to before the as-of date.",
    ),
    _count(
        name="client_count",
        label="clients of the account",
        definition="Clients who may use the account, its owner included.",
        minimum=1,
        maximum=100,
    ),
)

# Differences, not ratios: a ratio with a negative numerator rises as the payment does.
_AFFORDABILITY: tuple[Feature, ...] = tuple(
    Feature(
        name=f"{of}_after_payment_czk",
        label=f"{words}, less a payment",
        unit="CZK",
        definition=f"{words[0].upper()}{words[1:]}, less the monthly payment.",
        origin="both",
        minimum=-_MAXIMUM_CZK - _LARGEST_PAYMENT,
        maximum=_MAXIMUM_CZK,
        null_means=nothing,
        with_amount=-1,
        after_payment_of=f"{of}_czk",
    )
    for of, words, nothing in (
        ("balance_min_90d", "lowest balance of the last 90 days", _NONE_IN_YEAR),
        ("balance_low_mean_3m", "usual monthly low of the last 3 months", _NONE_IN_QUARTER),
        ("net_flow_mean_6m", "what the last 6 months left on average", _NONE_IN_HALF_YEAR),
    )
)

BEHAVIOURAL_FEATURES: tuple[Feature, ...] = _BALANCES + _TROUBLE + _CASH_FLOW + _AFFORDABILITY
