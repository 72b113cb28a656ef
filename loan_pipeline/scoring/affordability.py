"""What an account can carry: the loan's terms against the account's features.

The one function that combines both, in training (Ibis columns) as in scoring (NumPy arrays,
floats): plain arithmetic only, which all of them know. It divides by nothing but the terms, which
are never zero.
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
    known: Mapping[str, Any] = account
    amount: Any = terms["amount"]
    duration: Any = terms["duration"]
    payments = amount / duration
    return {
        "amount": amount,
        "duration": duration,
        "payments": payments,
        "balance_min_90d_to_payment": known["balance_min_90d_czk"] / payments,
        "balance_low_mean_3m_to_payment": known["balance_low_mean_3m_czk"] / payments,
        "net_flow_mean_6m_to_payment": known["net_flow_mean_6m_czk"] / payments,
    }
