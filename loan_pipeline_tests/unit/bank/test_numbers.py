"""How a column of numbers is written is decided by all of its texts, and never guessed."""

from decimal import Decimal

import pyarrow as pa
import pytest

from loan_pipeline.bank.numbers import AmbiguousNumbersError, decimals, format_of, integers


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["800.00", "12.5"], ["800", "12.5"]),
        (["800", "-1200"], ["800", "-1200"]),
        (["800,00", "-12,5"], ["800", "-12.5"]),
        (["1.234,50", "800,00"], ["1234.5", "800"]),
        (["1,234.50", "800.00"], ["1234.5", "800"]),
        (["1.234.567", "8"], ["1234567", "8"]),
        (["1,234,567"], ["1234567"]),
        (["1 234,50", "8"], ["1234.5", "8"]),
        (["1\u00a0234,50", "1\u202f234,50"], ["1234.5", "1234.5"]),
        (["1'234.50", "1\u2019234.50"], ["1234.5", "1234.5"]),
        (["12 500"], ["12500"]),
        # One text that cannot have thousands decides for the texts that could.
        (["8.000", "12.5"], ["8", "12.5"]),
        (["8,000", "12,50"], ["8", "12.5"]),
        (["8.000", "1.234.567"], ["8000", "1234567"]),
        ([" 8.5 ", "+3"], ["8.5", "3"]),
        (["1e3", "2.5"], ["1000", "2.5"]),
    ],
)
def test_the_only_reading_that_fits_every_text_is_taken(
    texts: list[str], numbers: list[str]
) -> None:
    # In two parts: the second may decide how the first is read.
    form = format_of([pa.array(texts[:1]), pa.array(texts[1:], pa.string())], whole=False)
    assert decimals(pa.array(texts), form).to_pylist() == [Decimal(each) for each in numbers]


@pytest.mark.parametrize("texts", [["8.000"], ["8,000", "12,000"], ["8.000", "100"], ["-1.000"]])
def test_texts_that_fit_two_readings_are_refused_with_both(texts: list[str]) -> None:
    with pytest.raises(
        AmbiguousNumbersError, match=r"may be -?\d+ or -?\d+000\. Write numbers with"
    ):
        format_of([pa.array(texts)], whole=False)


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["12.0", "7"], [12, 7]),
        (["1.234", "7"], [1234, 7]),
        (["1,234", "7"], [1234, 7]),
        (["1 234"], [1234]),
        (["96,0"], [96]),
    ],
)
def test_whole_numbers_have_no_fraction_but_zeros(texts: list[str], numbers: list[int]) -> None:
    assert (
        integers(pa.array(texts), format_of([pa.array(texts)], whole=True)).to_pylist() == numbers
    )


def test_a_whole_number_with_three_zeros_is_ambiguous() -> None:
    with pytest.raises(AmbiguousNumbersError, match=r"'96\.000' may be 96 or 96000"):
        format_of([pa.array(["96.000", "12.000"])], whole=True)


@pytest.mark.parametrize("texts", [["x"], ["1.2.3"], ["1,23.4"], ["12,34,567", "1.5"], ["--1"]])
def test_what_fits_no_reading_is_no_number(texts: list[str]) -> None:
    form = format_of([pa.array(texts)], whole=False)
    with pytest.raises(pa.ArrowInvalid):
        decimals(pa.array(texts), form)
