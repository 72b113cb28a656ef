from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from loan_pipeline.cli import main

README = (Path(__file__).parents[2] / "README.md").read_text()
COMMANDS = {name: command for name, command in main.commands.items() if not command.hidden}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOAN_HOME", str(tmp_path))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_helped_and_documented(name: str) -> None:
    answer = CliRunner().invoke(main, [name, "--help"])
    assert answer.exit_code == 0
    assert COMMANDS[name].help
    assert f"loan-pipeline {name}" in README


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does_or_what_it_takes(name: str) -> None:
    for option in COMMANDS[name].params:
        if isinstance(option, click.Option):
            assert option.help or isinstance(option.type, click.Choice) or option.show_default


def test_scoring_without_a_release_says_what_to_run() -> None:
    answer = CliRunner().invoke(main, "score --account 1 --amount 10000 --duration 12".split())
    assert answer.exit_code == 1
    assert "make run" in answer.output
    assert "Traceback" not in answer.output


def test_the_catalogue_names_the_banks_currency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOAN_CURRENCY", "EUR")
    printed = CliRunner().invoke(main, ["features"]).output
    assert "| EUR |" in printed
    assert "CZK" not in printed


def test_a_missing_folder_is_one_clear_message(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    answer = CliRunner().invoke(main, ["backtest", "--source", str(missing)])
    assert answer.exit_code == 1
    assert str(missing) in answer.output
    assert "Traceback" not in answer.output


def test_an_unusable_setting_is_named_and_its_value_kept_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOAN_LAKE_URL", "ftp://user:hunter2@host")
    answer = CliRunner().invoke(main, "score --account 1 --amount 10000 --duration 12".split())
    assert answer.exit_code == 1
    assert "LOAN_LAKE_URL" in answer.output
    assert "hunter2" not in answer.output


def test_a_file_where_a_snapshot_is_to_go_is_named_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    arguments = f"sample --out {file} --scale 0.01 --format parquet"
    answer = CliRunner().invoke(main, arguments.split())
    assert answer.exit_code == 1
    assert f"{file} is a file where a folder is needed" in answer.output
    assert file.read_text() == "mine"


def test_the_features_are_printed_as_a_catalogue_or_as_the_sql_that_computes_them() -> None:
    catalogue = CliRunner().invoke(main, ["features"])
    assert catalogue.exit_code == 0
    assert "| `account_age_days` |" in catalogue.output
    sql = CliRunner().invoke(main, "features --sql --as-of 1997-03-01".split())
    assert sql.exit_code == 0
    assert "-- loan_features\n" in sql.output
    assert "MAKE_DATE(1997, 3, 1)" in sql.output
