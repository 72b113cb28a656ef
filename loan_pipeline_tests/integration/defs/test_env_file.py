"""Every entry point reads the same `.env`, and the environment wins over it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ENTRY_POINTS = {
    "command line": "from loan_pipeline.cli import main; main(['dagster-home'])",
    "Dagster": (
        "from loan_pipeline.definitions import defs; found = defs().resources; "
        "print(found['bank'].settings.home)"
    ),
    "web app": (
        "from webapp import create_app; from webapp.app_state import EXTENSION; "
        "print(create_app().extensions[EXTENSION].settings.home)"
    ),
}


# Once with the file alone, once with the environment as well, in a process of its own.
BOTH = """
import os
from contextlib import suppress
with suppress(SystemExit):
    {script}
os.environ["LOAN_HOME"] = {home!r}
{script}
"""


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    path = tmp_path / "settings.env"
    path.write_text(f"LOAN_HOME={tmp_path / 'of-the-file'}\nLOAN_DATABASE_URL=\n")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("script", ENTRY_POINTS.values(), ids=ENTRY_POINTS)
def test_every_entry_point_reads_the_file_and_lets_the_environment_win(
    script: str, env_file: Path, tmp_path: Path
) -> None:
    names = {name: value for name, value in os.environ.items() if not name.startswith("LOAN_")}
    names["LOAN_ENV_FILE"] = str(env_file)
    names.pop("DAGSTER_HOME", None)
    both = BOTH.format(script=script, home=str(tmp_path / "of-the-environment"))
    answers = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", both],
        env=names, cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    by_file, by_environment = (line for line in answers if str(tmp_path) in line)
    assert str(tmp_path / "of-the-file") in by_file
    assert str(tmp_path / "of-the-environment") in by_environment
    assert "of-the-file" not in by_environment
