"""The jobs that people start, the weekly retraining, and the watch for others' exports."""

from collections.abc import Iterator

import dagster as dg

from loan_pipeline.defs.raw_checks import raw_tables_contract
from loan_pipeline.defs.resources import LakeResource
from loan_pipeline.lake.rds.files import foreign_exports

# The checks are named too: Dagster leaves those of tables that are only observed out of "all".
CONTRACT = dg.AssetSelection.checks(raw_tables_contract)
ALL = dg.AssetSelection.all() | CONTRACT
SNAPSHOT_AND_AFTER = dg.AssetSelection.assets("snapshot").downstream() | CONTRACT

# In process: the steps share what they load (AutoGluon alone takes seconds to import), and the
# embedded bank's file takes one writing process at a time.
whole_pipeline = dg.define_asset_job(
    "whole_pipeline",
    selection=ALL,
    executor_def=dg.in_process_executor,
    description="From the bank to the released predictors.",
)

retraining = dg.define_asset_job(
    "retraining",
    selection=SNAPSHOT_AND_AFTER,
    executor_def=dg.in_process_executor,
    description="A new snapshot of the bank as it stands, and everything after it.",
)

weekly_retraining = dg.ScheduleDefinition(
    name="weekly_retraining",
    job=retraining,
    cron_schedule="0 5 * * 1",
    execution_timezone="Europe/Prague",
    description="Mondays at five, before the week's first applicants. Off until switched on.",
)


@dg.sensor(job=retraining, minimum_interval_seconds=300)
def exported_by_others(lake: LakeResource) -> Iterator[dg.RunRequest]:
    """Retrains when somebody else's RDS export is complete in the lake. Off until switched on."""
    for export in foreign_exports(lake.open()):
        yield dg.RunRequest(
            run_key=export.export_id,
            run_config={"ops": {"snapshot": {"config": {"adopt": export.export_id}}}},
        )


@dg.definitions
def automation() -> dg.Definitions:
    """Jobs, schedules and sensors."""
    return dg.Definitions(
        jobs=[whole_pipeline, retraining],
        schedules=[weekly_retraining],
        sensors=[exported_by_others],
        executor=dg.in_process_executor,
    )
