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


def _home_in(script: str, env_file: Path, **environment: str) -> str:
    names = {name: value for name, value in os.environ.items() if not name.startswith("LOAN_")}
    names |= {"LOAN_ENV_FILE": str(env_file), **environment}
    names.pop("DAGSTER_HOME", None)
    command = [sys.executable, "-W", "ignore", "-c", script]
    return subprocess.run(
        command, env=names, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


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
    assert str(tmp_path / "of-the-file") in _home_in(script, env_file)
    answer = _home_in(script, env_file, LOAN_HOME=str(tmp_path / "of-the-environment"))
    assert str(tmp_path / "of-the-environment") in answer
    assert "of-the-file" not in answer
