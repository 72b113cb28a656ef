"""What Dagster starts by the clock."""

import dagster as dg

from loan_pipeline.defs.jobs import STARTED_BY, retraining

weekly_retraining = dg.ScheduleDefinition(
    name="weekly_retraining",
    job=retraining,
    cron_schedule="0 5 * * 1",
    execution_timezone="Europe/Prague",
    tags={STARTED_BY: "weekly_retraining"},
    description="Mondays at five, before the week's first applicants. Off until switched on.",
)


@dg.definitions
def schedules() -> dg.Definitions:
    """Every schedule."""
    return dg.Definitions(schedules=[weekly_retraining])
