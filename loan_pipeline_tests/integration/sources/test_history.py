"""Signs that a history was cut off: reported at the terminal, refused where features suffer."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from loan_pipeline.bank.embedded.database import EmbeddedBank
from loan_pipeline.bank.errors import SourceError
from loan_pipeline.quality import history
from loan_pipeline.quality.tables import violations
from loan_pipeline.sources.open import open_source
from loan_pipeline.terminal import run_shown_on
from loan_pipeline_tests.helpers import tiny_bank


def filled(tmp_path: Path, bank: tiny_bank.Tables) -> tuple[EmbeddedBank, str]:
    """The bank, and what a person at the terminal has seen."""
    seen = StringIO()
    embedded = EmbeddedBank(tmp_path / "bank.duckdb")
    with run_shown_on(Console(file=seen, width=300)):
        embedded.fill(open_source(str(tiny_bank.write_files(tmp_path / "files", bank))))
    return embedded, seen.getvalue()


def test_a_whole_history_is_no_warning(tmp_path: Path) -> None:
    bank, seen = filled(tmp_path, tiny_bank.tables())
    assert "!" not in seen
    assert violations(bank) == []


def test_a_history_that_ends_months_before_the_loans_is_a_warning_there_and_in_the_check(
    tmp_path: Path,
) -> None:
    changed = tiny_bank.tables()
    changed["trans"][-1][2] = "951128"
    bank, seen = filled(tmp_path, changed)
    words = "trans.date ends on 1995-11-28, but loans go on until 1996-04-29"
    assert f"! {words}" in seen
    [found] = [v for v in violations(bank) if str(v).startswith(words)]
    assert not found.blocking


@pytest.mark.parametrize("many", [True, False])
def test_a_history_that_makes_features_wrong_is_refused(tmp_path: Path, many: bool) -> None:
    changed = tiny_bank.tables()
    changed["trans"][-1][2] = "951128" if many else "930301"
    for number in range(20, 30) if many else ():
        changed["loan"].append([str(number), "2", "960410", "30276", "12", "2523.00", "A"])
    with pytest.raises(SourceError, match=r"trans.date ends on .* would be wrong"):
        filled(tmp_path, changed)


def test_a_column_of_dates_that_stops_early_is_a_warning(tmp_path: Path) -> None:
    changed = tiny_bank.tables()
    changed["card"][2][3] = "951016 00:00:00"
    _, seen = filled(tmp_path, changed)
    assert "! card.issued ends on 1995-10-16, while other tables go on until 1996-04-30" in seen


def test_exactly_as_many_rows_as_a_spreadsheet_keeps_are_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {65_535, 1_048_575} <= history._SPREADSHEET_ROWS
    monkeypatch.setattr(history, "_SPREADSHEET_ROWS", frozenset({5}))
    bank, seen = filled(tmp_path, tiny_bank.tables())
    assert "! trans.trans_id has exactly 5 rows, as a spreadsheet program leaves" in seen
    assert not any(found.blocking for found in violations(bank))


def test_a_loan_without_any_transaction_before_it_is_a_warning(tmp_path: Path) -> None:
    changed = tiny_bank.tables()
    changed["loan"].append(["12", "3", "960430", "30276", "12", "2523.00", "A"])
    changed["trans"][-1][2] = "960429"
    _, seen = filled(tmp_path, changed)
    assert "! loan.account_id has no transaction before the loan was granted: 1 row" in seen


def test_a_few_unknown_codes_are_a_warning_with_counts(tmp_path: Path) -> None:
    changed = tiny_bank.tables()
    changed["trans"][1][7] = "NOVY"
    _, seen = filled(tmp_path, changed)
    assert "POJISTNE, UVER): 1 row (1 x 'NOVY')" in seen
