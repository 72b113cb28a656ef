"""What an account can carry: the loan's terms against the account's features.

The one function that combines both, in training (Ibis columns) as in scoring (NumPy arrays,
floats): plain arithmetic only, which all of them know.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

V = TypeVar("V")


def combine(account: Mapping[str, V], terms: Mapping[str, V]) -> dict[str, V]:
    """Every feature of origin "terms" or "both".

    Args:
        account: the account's features by name, float64 (NULL or NaN where missing).
        terms: "amount" (CZK) and "duration" (months).

    Returns:
        The features by name, missing where a value they need is missing.
    """
    # Ibis columns, arrays and floats share their arithmetic but no type.
    amount: Any = terms["amount"]
    duration: Any = terms["duration"]
    payments: Any = amount / duration
    return {
        "amount": amount,
        "duration": duration,
        "payments": payments,
        "income_to_payment": account["income_mean_monthly_czk"] / payments,
        "balance_to_payment_30d": account["balance_mean_30d_czk"] / payments,
    }
