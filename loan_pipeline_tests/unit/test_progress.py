import io
import logging
import time

import pytest
from rich.console import Console

from loan_pipeline.progress import current_display, track
from loan_pipeline.terminal import run_shown_on


def test_without_a_display_the_work_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="loan_pipeline"), track("Reading", 3) as task:
        task.advance()
    assert [record.message.split(":")[0] for record in caplog.records] == ["Reading"]


def test_on_a_terminal_a_bar_shows_while_the_work_lasts() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    with run_shown_on(console), track("Reading trans", 2) as task:
        task.advance()
        time.sleep(0.3)  # the bar is redrawn ten times a second
    assert "Reading trans" in out.getvalue()
    assert "50%" in out.getvalue()


def test_bars_of_work_that_fails_go_away_and_the_error_passes() -> None:
    console = Console(file=io.StringIO(), force_terminal=True)
    with run_shown_on(console), pytest.raises(ZeroDivisionError), track("Dividing", 1):
        _ = 1 / 0


def test_where_it_is_no_terminal_steps_are_plain_lines() -> None:
    out = io.StringIO()
    with run_shown_on(Console(file=out)):
        display = current_display()
        assert display is not None
        display.step_started("raw tables")
        display.step_ended("raw tables", succeeded=True)
        display.step_started("snapshot")
        display.step_ended("snapshot", succeeded=False)
    lines = out.getvalue().splitlines()
    assert lines[0] == "… raw tables"
    assert lines[1].startswith("✓ raw tables")
    assert lines[3].startswith("✗ snapshot")
