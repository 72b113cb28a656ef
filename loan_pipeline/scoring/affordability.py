"""What an account can carry: the loan's terms against the account's features.

The one function that combines both, in training (Ibis columns) as in scoring (NumPy arrays,
floats): plain arithmetic only, which all of them know. It divides by nothing but the duration,
which is never zero. Each feature moves one way as the amount grows (`Feature.with_amount`), for
every account.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from loan_pipeline.contracts.features import FEATURES

V = TypeVar("V")

_AFTER_PAYMENT = [(f.name, f.after_payment_of) for f in FEATURES if f.after_payment_of is not None]


def combine(account: Mapping[str, V], terms: Mapping[str, V]) -> dict[str, V]:
    """Every feature of origin "terms" or "both".

    Args:
        account: the account's features by name, float64 (NULL or NaN where missing). What is
            computed from one that is not there is left out.
        terms: "amount" (CZK) and "duration" (months).

    Returns:
        The features by name, missing where a value they need is missing.
    """
    # Ibis columns, arrays and floats share their arithmetic but no type.
    known: Mapping[str, Any] = account
    amount: Any = terms["amount"]
    duration: Any = terms["duration"]
    payments = amount / duration
    left = {name: known[of] - payments for name, of in _AFTER_PAYMENT if of in known}
    return {"amount": amount, "duration": duration, "payments": payments, **left}
