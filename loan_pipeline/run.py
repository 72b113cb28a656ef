"""The whole pipeline as one Dagster run, started from the command line."""

import time
from typing import Any

import dagster as dg
from pydantic import BaseModel

from loan_pipeline.contracts.bundle import BundleManifest
from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FeatureSet
from loan_pipeline.definitions import defs
from loan_pipeline.defs.automation import whole_pipeline
from loan_pipeline.defs.step_logger import STEP_LOGGER
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.instance import prepare_dagster_home
from loan_pipeline.settings import Settings
from loan_pipeline.terminal import shown_on_terminal


class RunFailedError(LoanPipelineError):
    """The run ended before its last step; what was released before is still released."""


class RunSummary(BaseModel):
    """What a finished run leaves behind."""

    run_id: str
    seconds: float
    home: str
    lake: str
    releases: dict[FeatureSet, BundleManifest]


def run_pipeline(settings: Settings, *, source: str, recipe: str, target: str) -> RunSummary:
    """Run every asset in this process, on the instance that the UI shows.

    Raises:
        RunFailedError: a step failed; the message is the step's own where a user can mend it.
    """
    prepare_dagster_home(settings)
    started = time.monotonic()
    job = defs().resolve_job_def(whole_pipeline.name)
    with dg.DagsterInstance.get() as instance, shown_on_terminal():
        result = job.execute_in_process(
            run_config=_run_config(source=source, recipe=recipe, target=target),
            instance=instance,
            raise_on_error=False,
            tags={"loan_pipeline/started_by": "loan-pipeline run"},
        )
    if not result.success:
        raise RunFailedError(_failure_message(result))
    releases = {
        name: result.asset_value(dg.AssetKey([name, "release"])) for name in FEATURE_SET_NAMES
    }
    return RunSummary(
        run_id=result.run_id,
        seconds=time.monotonic() - started,
        home=str(settings.home),
        lake=settings.lake,
        releases=releases,
    )


def _run_config(*, source: str, recipe: str, target: str) -> dict[str, Any]:
    training = {"config": {"recipe": recipe, "target": target}}
    return {
        "loggers": {STEP_LOGGER: {}},
        "ops": {
            "raw_tables": {"config": {"source": source}},
            **{f"{name}__predictor": training for name in FEATURE_SET_NAMES},
        },
    }


def _failure_message(result: dg.ExecuteInProcessResult) -> str:
    """The first failed step's own words; a stranger's error keeps its type's name."""
    for event in result.all_node_events:
        if event.event_type is not dg.DagsterEventType.STEP_FAILURE:
            continue
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        step = (event.step_key or "").replace("__", " ").replace("_", " ")
        if error is not None:
            return f"the step «{step}» failed: {error.message.strip()}"
    return "the run failed outside its steps; the Dagster UI shows its log (make up)"
