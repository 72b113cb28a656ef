"""Which revision of this software is running, for the records that name what made them."""

import subprocess
from functools import cache
from pathlib import Path


@cache
def code_revision() -> str | None:
    """The commit that this software runs from, with `-dirty` after changes; None in no checkout."""
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None
