"""The bank's currency in texts for people: contracts say CZK, LOAN_CURRENCY may say another."""

import re

_CONTRACTS_CURRENCY = "CZK"
_WORD = re.compile(rf"\b{_CONTRACTS_CURRENCY}\b")


def in_currency(text: str, currency: str) -> str:
    """A label or message of the contract with the bank's own currency; amounts stay as they are."""
    return text if currency == _CONTRACTS_CURRENCY else _WORD.sub(currency, text)
