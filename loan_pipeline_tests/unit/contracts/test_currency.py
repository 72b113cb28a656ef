"""The bank's own currency in labels and messages."""

import pytest

from loan_pipeline.contracts.currency import in_currency
from loan_pipeline.settings import Settings


def test_labels_name_the_banks_currency_and_columns_keep_their_names() -> None:
    assert in_currency("monthly payment, CZK", "EUR") == "monthly payment, EUR"
    assert in_currency("12,000 CZK a month", "CZK") == "12,000 CZK a month"
    assert in_currency("balance_mean_czk XCZKX", "EUR") == "balance_mean_czk XCZKX"


def test_a_currency_is_an_iso_code() -> None:
    assert Settings(currency="JPY").currency == "JPY"
    with pytest.raises(ValueError, match="currency"):
        Settings(currency="crowns")
