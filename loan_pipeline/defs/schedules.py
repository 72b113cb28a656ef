"""What Dagster starts by the clock, as the settings say."""

from typing import Any

import dagster as dg

from loan_pipeline.defs.jobs import AS_RELEASED, monitoring, retraining, unattended
from loan_pipeline.settings import Settings


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """Retraining and monitoring, on from the start where the settings say so.

    Raises:
        DagsterInvalidDefinitionError: cron or time zone cannot be used.
    """
    return [
        _schedule(
            "retraining_schedule",
            retraining,
            settings.retraining_cron,
            settings,
            "Before the week's first applicants, unless LOAN_RETRAINING_CRON says otherwise.",
            {"ops": AS_RELEASED},
        ),
        _schedule(
            "monitoring_schedule",
            monitoring,
            settings.monitoring_cron,
            settings,
            "Every morning, unless LOAN_MONITORING_CRON says otherwise.",
        ),
    ]


def _schedule(
    name: str,
    job: Any,
    cron: str,
    settings: Settings,
    description: str,
    run_config: dict[str, Any] | None = None,
) -> dg.ScheduleDefinition:
    running = dg.DefaultScheduleStatus.RUNNING
    return dg.ScheduleDefinition(
        name=name,
        job=job,
        cron_schedule=cron,
        execution_timezone=settings.time_zone,
        tags=unattended(name),
        run_config=run_config,
        default_status=running if settings.schedules == "on" else dg.DefaultScheduleStatus.STOPPED,
        description=f"{description} LOAN_SCHEDULES=on switches it on from the start.",
    )
