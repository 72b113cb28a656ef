"""Dates in the ways that files and programs write them."""

from datetime import date

import pyarrow as pa
import pytest

from loan_pipeline.bank.dates import birth_date, birth_gender, dates


@pytest.mark.parametrize(
    "text",
    [
        "930107",
        "930107.0",
        "930107 00:00:00",
        "19930107",
        "19930107.0",
        "19930107 12:30",
        "1993-01-07",
        " 1993-01-07 ",
        "1993-1-7",
        "1993/01/07",
        "1993/1/7",
        "1993.01.07",
        "1993-01-07 00:00:00",
        "1993-01-07T23:59:59.999",
        "1993-01-07T00:00:00Z",
        "1993-01-07 00:00:00+01:00",
        "1993-01-07T00:00:00.000000-0500",
        "1993-01-07 00:00:00 UTC",
    ],
)
def test_every_spelling_is_the_day_that_it_names(text: str) -> None:
    assert dates(pa.array([text, None])).to_pylist() == [date(1993, 1, 7), None]


@pytest.mark.parametrize(
    "text", ["1/2/1994", "31.12.1994", "93010", "930132", "970229", "1993-13-01", "19930132", "x"]
)
def test_what_leaves_day_and_month_open_or_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(pa.ArrowInvalid):
        dates(pa.array([text]))


def test_birth_numbers_hold_the_gender_and_may_come_as_floats() -> None:
    texts = pa.array(["706213", "450204.0"])
    assert birth_date(texts).to_pylist() == [date(1970, 12, 13), date(1945, 2, 4)]
    assert birth_gender(texts).to_pylist() == ["F", "M"]
