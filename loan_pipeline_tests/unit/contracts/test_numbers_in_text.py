"""Numbers in text: each writing is read rightly, and what can be read in two ways is left open."""

import pytest

from loan_pipeline.contracts.numbers_in_text import decimal_signs, number


@pytest.mark.parametrize(
    ("text", "with_point", "with_comma"),
    [
        ("96000", 96000, 96000),
        (" 96000 ", 96000, 96000),
        ("-5", -5, -5),
        ("\u22125", -5, -5),
        ("+5", 5, 5),
        ("96 000", 96000, 96000),
        ("96\u00a0000", 96000, 96000),
        ("96\u202f000", 96000, 96000),
        ("1'234'567", 1234567, 1234567),
        ("1\u2019234", 1234, 1234),
        ("96000.50", 96000.5, None),
        ("96000,50", None, 96000.5),
        ("96 000,50", None, 96000.5),
        ("1'234.50", 1234.5, None),
        ("1.234,56", None, 1234.56),
        ("1,234.56", 1234.56, None),
        ("1.234.567", None, 1234567),
        ("1,234,567", 1234567, None),
        ("30.000", 30.0, 30000),
        ("30,000", 30000, 30.0),
        ("-1.234", -1.234, -1234),
        ("0.125", 0.125, None),
        ("0,125", None, 0.125),
        ("2300.125", 2300.125, None),
        ("5.", 5.0, None),
        (".5", 0.5, None),
        (",5", None, 0.5),
        ("1 234.567", 1234.567, None),
    ],
)
def test_a_text_is_read_with_each_decimal_sign(text, with_point, with_comma):
    assert (number(text, "."), number(text, ",")) == (with_point, with_comma)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "abc", "1e5", "NaN", "inf", "0x10", "1_000", "1,00,000", "12 34", "1.2.3"),
        *("1 234'567", "9" * 41, "\u0663", "--5", ".", ",", "5 kc", "1.234 567,0", "\uff11"),
    ],
)
def test_what_is_no_number_is_none(text):
    assert number(text, ".") is None
    assert number(text, ",") is None


@pytest.mark.parametrize(
    ("texts", "signs"),
    [
        (["96000", "abc", ""], {".", ","}),
        (["30.000", "45.500"], {".", ","}),
        (["30.000", "45.5"], {"."}),
        (["30.000", "1.234.567"], {","}),
        (["30.000", "96000,5"], {","}),
        (["1.5", "1,5"], set()),
        ([], {".", ","}),
    ],
)
def test_a_column_shows_its_decimal_sign(texts, signs):
    assert decimal_signs(texts) == signs
