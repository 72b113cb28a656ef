"""What Dagster starts by what it sees."""

from collections.abc import Iterator

import dagster as dg

from loan_pipeline.defs.jobs import STARTED_BY, adopt_ops, retraining
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.lake.rds.files import foreign_exports


@dg.sensor(job=retraining, minimum_interval_seconds=300)
def exported_by_others(lake: LakeResource) -> Iterator[dg.RunRequest]:
    """Retrains when another system's RDS export is complete in the lake. Off until switched on."""
    for export in foreign_exports(lake.open()):
        yield dg.RunRequest(
            run_key=export.export_id,
            run_config={"ops": adopt_ops(export.export_id)},
            tags={STARTED_BY: "exported_by_others"},
        )


@dg.definitions
def sensors() -> dg.Definitions:
    """Every sensor."""
    return dg.Definitions(sensors=[exported_by_others])
