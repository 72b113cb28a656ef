"""Where Dagster keeps its state: `$DAGSTER_HOME`, or `$LOAN_HOME/dagster` without one."""

import os
from pathlib import Path

from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.settings import Settings


def prepare_dagster_home(settings: Settings) -> Path:
    """Make sure that Dagster finds its home, and in it the project's `dagster.yaml`.

    Returns:
        The folder.

    Raises:
        LoanPipelineError: the project's `dagster.yaml` is not where the command was started.
    """
    if given := os.environ.get("DAGSTER_HOME"):
        return Path(given)
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    link = home / "dagster.yaml"
    if not link.exists():
        ours = Path(__file__).parent.parent / "dagster.yaml"
        if not ours.is_file():
            raise LoanPipelineError(
                f"{ours} is missing: run from a checkout of the project, or set DAGSTER_HOME to a "
                "folder that holds a dagster.yaml"
            )
        link.unlink(missing_ok=True)
        link.symlink_to(ours)
    return home
