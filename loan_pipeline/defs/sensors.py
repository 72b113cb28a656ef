"""What Dagster starts by what it sees."""

import inspect
from collections.abc import Iterator

import dagster as dg

from loan_pipeline.contracts.features import FEATURE_SET_NAMES
from loan_pipeline.contracts.verdict import CandidateVerdict
from loan_pipeline.defs.alerts import alerts
from loan_pipeline.defs.io_manager import RecordMissing, read_record
from loan_pipeline.defs.jobs import AS_RELEASED, adopt_ops, retraining, training, unattended
from loan_pipeline.defs.keys import STARTED_BY, verdict_key
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.defs.monitoring import DRIFT, DriftRecord
from loan_pipeline.lake.protocol import Store
from loan_pipeline.lake.rds.files import foreign_exports
from loan_pipeline.lake.snapshot import SnapshotError, latest_snapshot
from loan_pipeline.release.publish import current_version
from loan_pipeline.settings import Settings

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dg.sensor(
    job=retraining,
    minimum_interval_seconds=300,
    description="Retrains on another system's RDS export once it is complete in the lake.",
)
def exported_by_others(lake: LakeResource) -> Iterator[dg.RunRequest]:
    """Retrains when another system's RDS export is complete in the lake. Off until switched on."""
    for export in foreign_exports(lake.open()):
        yield dg.RunRequest(
            run_key=export.export_id,
            run_config={"ops": adopt_ops(export.export_id) | AS_RELEASED},
            tags={STARTED_BY: "exported_by_others"},
        )


def retraining_needed(
    context: dg.SensorEvaluationContext, lake: LakeResource
) -> dg.RunRequest | dg.SkipReason:
    """Retrains once when requests have drifted away from a release, or a snapshot is not used yet.

    One retraining at a time. A release that drift has asked to replace is not replaced again
    because of the same drift until the next week, and a snapshot whose candidate was judged is
    used, whatever the verdict.
    """
    under_way = context.instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY))
    busy = [run for run in under_way if run.job_name in {retraining.name, training.name}]
    if busy:
        return dg.SkipReason(f"run {busy[0].run_id} of {busy[0].job_name} is under way")
    store = lake.open()
    if (drifted := _drifted(store)) is not None:
        return drifted
    if (unused := _unused_snapshot(store)) is not None:
        return unused
    return dg.SkipReason("no drift beyond the limit for action, and no snapshot that is not used")


def _drifted(store: Store) -> dg.RunRequest | None:
    try:
        record = read_record(store, DRIFT, DriftRecord)
    except RecordMissing:
        return None
    replaced = {
        name
        for name in FEATURE_SET_NAMES
        if current_version(store, name) != record.versions.get(name)
    }
    names = sorted(record.acted_on.keys() - replaced)
    if not names:
        return None
    week = "-".join(map(str, record.measured_at.isocalendar()[:2]))
    versions = " ".join(record.versions[name] for name in names)
    what = "; ".join(f"{name}: {', '.join(record.acted_on[name])}" for name in names)
    return dg.RunRequest(
        run_key=f"drift {week} {versions}",
        job_name=retraining.name,
        run_config={"ops": AS_RELEASED},
        tags=unattended("retraining_needed") | {"loan_pipeline/because": f"drift of {what}"[:200]},
    )


def _unused_snapshot(store: Store) -> dg.RunRequest | None:
    try:
        latest = latest_snapshot(store).snapshot_id
        judged = {
            read_record(store, verdict_key(name), CandidateVerdict).snapshot_id
            for name in FEATURE_SET_NAMES
        }
    except (SnapshotError, RecordMissing):
        return None  # nothing was trained yet: the first time is a person's decision
    if judged == {latest}:
        return None
    return dg.RunRequest(
        run_key=f"snapshot {latest}",
        job_name=training.name,
        run_config={"ops": AS_RELEASED},
        tags=unattended("retraining_needed") | {"loan_pipeline/because": f"snapshot {latest}"},
    )


def build_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Every sensor, on from the start where the settings say so."""
    on, off = dg.DefaultSensorStatus.RUNNING, dg.DefaultSensorStatus.STOPPED
    return [
        exported_by_others,
        dg.sensor(
            jobs=[retraining, training],
            minimum_interval_seconds=60,
            default_status=on if settings.schedules == "on" else off,
            description=inspect.getdoc(retraining_needed),
        )(retraining_needed),
        dg.sensor(
            minimum_interval_seconds=60,
            default_status=on if settings.alert_urls else off,
            description=inspect.getdoc(alerts),
        )(alerts),
    ]
