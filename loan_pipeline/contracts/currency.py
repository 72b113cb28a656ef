"""The bank's currency in texts for people.

Contracts, and what is made of them (bundles, records, drawings), say CZK: none depends on the
setting. Where a text leaves for people (terminal, web app, Dagster's UI, files to read),
`in_currency` puts the bank's own in its place.
"""

import re

CONTRACTS_CURRENCY = "CZK"
_WORD = re.compile(rf"\b{CONTRACTS_CURRENCY}\b")


def in_currency(text: str, currency: str) -> str:
    """A label or message of the contract with the bank's own currency; amounts stay as they are."""
    return text if currency == CONTRACTS_CURRENCY else _WORD.sub(currency, text)
