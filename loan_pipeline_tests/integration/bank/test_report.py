"""Exploration by aggregates: the same from both databases, and its report."""

import re
from datetime import date
from pathlib import Path

import pytest

from loan_pipeline.bank.observe import Observation, observe
from loan_pipeline.bank.open import open_bank
from loan_pipeline.bank.protocol import Bank
from loan_pipeline.bank.report.aggregates import Exploration, LoanSummary, Month, explore
from loan_pipeline.bank.report.html import plots, render
from loan_pipeline.settings import Settings
from loan_pipeline.sources.open import open_source
from loan_pipeline_tests.helpers import tiny_bank


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    bank = open_bank(Settings(home=tmp_path / "home"))
    bank.fill(open_source(str(tiny_bank.write_files(tmp_path / "good"))))
    return bank


@pytest.fixture
def exploration(bank: Bank) -> Exploration:
    return explore(bank)


def described(exploration: Exploration, table: str, column: str) -> tuple[object, ...]:
    [found] = [
        found
        for summary in exploration.tables
        if summary.name == table
        for found in summary.columns
        if found.name == column
    ]
    return found.missing, found.minimum, found.mean, found.maximum


def test_aggregates_are_those_of_the_rows(exploration: Exploration) -> None:
    assert [table.rows for table in exploration.tables] == [2, 4, 3, 4, 2, 2, 3, 5]
    assert described(exploration, "district", "A12") == (1, 0.3, 0.3, 0.3)
    assert described(exploration, "client", "birth_date") == (0, "1940-09-09", None, "1980-12-31")
    assert described(exploration, "loan", "amount") == (0, 30276, 55614, 80952)
    assert described(exploration, "trans", "k_symbol") == (3, None, None, None), "blank is none"
    assert exploration.codes["trans.k_symbol"] == {"": 2, " ": 1, "DUCHOD": 1, "UROK": 1}
    assert exploration.codes["card.type"] == {"gold": 1, "junior": 1}
    assert exploration.loans[0] == LoanSummary("A", 1, 80952, 80952, 80952, 24, 3373)
    assert exploration.loan_amounts == {"A": {50_000: 1}, "B": {0: 1}}
    assert exploration.loans_by_year == {"A": {1994: 1}, "B": {1996: 1}}
    assert exploration.months == (
        Month(date(1993, 1, 1), "PRIJEM", 2, 1003.4),
        Month(date(1993, 2, 1), "PRIJEM", 1, 900.05),
        Month(date(1993, 3, 1), "VYDAJ", 1, 100.5),
        Month(date(1996, 4, 1), "VYDAJ", 1, 1000.0),
    )


@pytest.mark.slow
def test_both_databases_tell_the_same(
    bank: Bank, exploration: Exploration, mariadb_url: str, tmp_path: Path
) -> None:
    other = open_bank(Settings(database_url=mariadb_url))
    other.fill(open_source(str(tmp_path / "good")))
    theirs = explore(other)
    for part in ("source", "tables", "codes", "loans", "loan_amounts", "loans_by_year", "months"):
        assert getattr(theirs, part) == getattr(exploration, part), part
    assert observe(other) == observe(bank)


def test_a_table_is_as_fresh_as_its_newest_row(bank: Bank) -> None:
    seen = observe(bank)
    assert seen["trans"] == Observation(5, date(1996, 4, 28))
    assert seen["card"] == Observation(2, date(1996, 4, 16))
    assert seen["client"] == Observation(4, None)


@pytest.mark.slow
def test_the_report_is_one_page_that_shows_every_plot(exploration: Exploration) -> None:
    drawn = plots(exploration)
    page = render(exploration, drawn)
    assert page.count("<svg ") == len(drawn) == 5
    assert "POPLATEK PO OBRATU" in page
    assert "B finished, not paid" in page
    assert not re.search(r"""(src|href)=["']https?:""", page), "it loads nothing from elsewhere"
    ids = re.findall(r'<clipPath id="(\w+)"', page)
    assert len(ids) == len(set(ids)), "pictures on one page must not share ids"
    assert render(exploration, plots(exploration)) == page, "the same data give the same page"


def test_names_of_the_bank_are_escaped_in_the_report(exploration: Exploration) -> None:
    from dataclasses import replace

    assert "<script>" not in render(
        replace(exploration, source="<script>alert(1)</script>"), drawn={}
    )


def test_a_bank_without_cards_has_a_report_too(tmp_path: Path) -> None:
    without = tiny_bank.tables()
    del without["card"][1:]
    bank = open_bank(Settings(home=tmp_path / "home"))
    bank.fill(open_source(str(tiny_bank.write_files(tmp_path / "none", without))))
    assert "Cards by type" in plots(explore(bank))
