"""The guide «explore in a notebook», followed as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "guides" / "explore-in-a-notebook.md"


@pytest.mark.slow
def test_every_cell_of_the_guide_runs_after_a_run_of_the_pipeline(tmp_path: Path) -> None:
    environment = os.environ | {"LOAN_HOME": str(tmp_path)}
    command = "run --source sample --recipe quick"
    subprocess.run(
        [str(Path(sys.executable).with_name("loan-pipeline")), *command.split()],
        env=environment, cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    cells = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(cells) > 3
    script = "\n".join([*cells, "assert len(loans) > 50 and answer.reasons"])
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env=environment, cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
