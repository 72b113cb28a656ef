"""What the behavioural set adds: the account's history, and the loan against it."""

from loan_pipeline.contracts.features.feature import Feature

_MAXIMUM_CZK = 10_000_000
_NO_HISTORY = "no transaction yet"


def _balance(name: str, label: str, definition: str, null_means: str = _NO_HISTORY) -> Feature:
    return Feature(
        name, label, "CZK", definition, "account", -_MAXIMUM_CZK, _MAXIMUM_CZK, null_means
    )


def _count(name: str, label: str, definition: str) -> Feature:
    return Feature(name, label, "count", definition, "account", 0, 1_000_000)


def _balances_of(days: int) -> tuple[Feature, ...]:
    null = f"no transaction in the last {days} days"
    window = f"in the {days} days before the as-of date"
    return (
        _balance(
            f"balance_mean_{days}d_czk",
            f"average balance in the last {days} days",
            f"Mean balance after each transaction {window}.",
            null,
        ),
        _balance(
            f"balance_min_{days}d_czk",
            f"lowest balance in the last {days} days",
            f"Lowest balance after a transaction {window}.",
            null,
        ),
    )


BEHAVIOURAL_FEATURES: tuple[Feature, ...] = (
    _balance(
        "balance_last_czk",
        "latest balance",
        "Balance at the end of the last day with a transaction before the as-of date.",
    ),
    _balance("balance_min_czk", "lowest balance", "Lowest balance before the as-of date."),
    *_balances_of(30),
    *_balances_of(90),
    *_balances_of(180),
    _count(
        "balance_below_zero_count",
        "transactions that left the account overdrawn",
        "Transactions before the as-of date with a balance below zero afterwards.",
    ),
    _count(
        "penalty_interest_count",
        "times penalty interest was charged",
        "Transactions before the as-of date that charge interest on a negative balance.",
    ),
    Feature(
        "income_mean_monthly_czk",
        "average monthly income",
        "CZK",
        "Mean income, interest left out, of the months (30 days, counted back from the as-of "
        "date) with transactions.",
        "account",
        0,
        _MAXIMUM_CZK,
        _NO_HISTORY,
    ),
    Feature(
        "outgoings_mean_monthly_czk",
        "average monthly outgoings",
        "CZK",
        "Mean outgoings of the months (30 days, counted back from the as-of date) with "
        "transactions.",
        "account",
        0,
        _MAXIMUM_CZK,
        _NO_HISTORY,
    ),
    Feature(
        "client_count",
        "clients of the account",
        "count",
        "Clients who may use the account, its owner included.",
        "account",
        1,
        100,
    ),
    Feature(
        "income_to_payment",
        "monthly income over the payment",
        "ratio",
        "Mean monthly income divided by the monthly payment.",
        "both",
        0,
        1_000_000,
        _NO_HISTORY,
    ),
    Feature(
        "balance_to_payment_30d",
        "months of payments held",
        "ratio",
        "Mean balance of the last 30 days divided by the monthly payment.",
        "both",
        -1_000_000,
        1_000_000,
        "no transaction in the last 30 days",
    ),
)
