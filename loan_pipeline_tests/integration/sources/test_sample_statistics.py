"""The sample bank resembles the complete PKDD'99 bank, figure by figure of the table in docs/."""

import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from loan_pipeline_tests.helpers.sample_statistics import statistics
from loan_pipeline_tests.helpers.sample_tables import sample_bank

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[3] / "docs" / "sample-bank.md"
# | figure | original | tolerance | seed 1 |
ROW = re.compile(r"^\| ([^|]+) \| ([\d,.]+) \| (exact|[\d.]+ %|± [\d.]+) \| ([\d,.]+) \|$", re.M)


@dataclass(frozen=True)
class Row:
    figure: str
    original: float
    tolerance: str
    documented: str

    def allows(self, value: float) -> bool:
        if self.tolerance == "exact":
            return value == self.original
        if self.tolerance.startswith("±"):
            return abs(value - self.original) <= float(self.tolerance[2:])
        return abs(value / self.original - 1) <= float(self.tolerance.removesuffix(" %")) / 100


ROWS = [
    Row(figure, float(original.replace(",", "")), tolerance, documented)
    for figure, original, tolerance, documented in ROW.findall(DOCUMENT.read_text())
]


@cache
def figures_of(seed: int) -> dict[str, float]:
    return statistics(sample_bank(1.0, seed))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_sample_resembles_the_original_in_every_figure(seed: int) -> None:
    figures = figures_of(seed)
    assert {row.figure for row in ROWS} == set(figures)
    far = [
        f"{row.figure}: {figures[row.figure]:,.3f} against {row.original:,.3f}"
        for row in ROWS
        if not row.allows(figures[row.figure])
    ]
    assert not far, "\n".join(far)


def test_the_documented_figures_are_those_of_seed_1() -> None:
    figures = figures_of(1)
    documented = {row.figure: row.documented for row in ROWS}
    assert documented == {row.figure: shown(figures[row.figure]) for row in ROWS}


def shown(value: float) -> str:
    return f"{value:,.0f}" if value > 1 else f"{value:.2f}"


def test_transactions_fill_the_years_of_the_original() -> None:
    first_and_last = sample_bank().sql("SELECT min(date), max(date) FROM trans").fetchone()
    assert first_and_last == (date(1993, 1, 1), date(1998, 12, 31))


def test_district_figures_are_missing_where_the_original_misses_them() -> None:
    missing = sample_bank().sql(
        "SELECT count(*) - count(A12), count(*) - count(A15), count(DISTINCT A2) FROM district"
    )
    assert missing.fetchone() == (1, 1, 77)
