"""The sensor that alerts: what ended since it last looked, and what is wrong with the lake now."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
from pydantic import BaseModel, ConfigDict

from loan_pipeline.alerts.alert import Alert, digest
from loan_pipeline.alerts.conditions import conditions
from loan_pipeline.alerts.send import send
from loan_pipeline.defs.keys import STARTED_BY
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.defs.resources import AlertsResource

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_WILL_RETRY = "dagster/will_retry"
# Runs are recorded by other processes: one that ended earlier may be seen a little later.
_OVERLAP = timedelta(minutes=5)


class Seen(BaseModel):
    """The sensor's cursor.

    Attributes:
        until: runs that ended before were reported.
        runs: those that ended shortly before `until`.
        holding: the conditions that were reported and still hold, with their subjects.
    """

    model_config = ConfigDict(frozen=True)

    until: datetime
    runs: tuple[str, ...] = ()
    holding: dict[str, str] = {}


def alerts(
    context: dg.SensorEvaluationContext,
    lake: LakeResource,
    alerts: AlertsResource,
) -> dg.SkipReason:
    """Sends one digest of what went wrong since the last look, and of what is well again.

    Failed runs after their last retry, failed and warned checks, refused releases, stale records,
    apps on another release. A digest that cannot be sent fails the tick; the next one sends it.
    """
    now = datetime.now(UTC)
    seen = Seen.model_validate_json(context.cursor) if context.cursor else Seen(until=now)
    records = _ended_runs(context.instance, seen)
    runs = [record.dagster_run for record in records]
    found = [one for run in runs for one in run_alerts(context.instance, run, alerts)]
    holding = conditions(lake.open(), now, timedelta(days=alerts.fresh_days))
    found += [alert for name, alert in holding.items() if name not in seen.holding]
    found += [
        Alert("resolved", subject, "It was reported earlier, and is well again.")
        for name, subject in seen.holding.items()
        if name not in holding
    ]
    if found and alerts.urls:
        send(digest(found), alerts.urls)
    reported = {run.run_id for run in runs} | set(seen.runs)
    recent = context.instance.get_run_records(
        dg.RunsFilter(statuses=_ENDED, updated_after=now - _OVERLAP)
    )
    updated = Seen(
        until=now,
        runs=tuple(sorted(reported & {one.dagster_run.run_id for one in recent})),
        holding={name: f"{alert.kind}: {alert.subject}" for name, alert in holding.items()},
    )
    context.update_cursor(updated.model_dump_json())
    if not found:
        return dg.SkipReason("nothing to report")
    if not alerts.urls:
        return dg.SkipReason(f"{len(found)} alerts, and LOAN_ALERT_URLS names no address")
    return dg.SkipReason(f"sent a digest of {len(found)} alerts to {len(alerts.urls)} addresses")


def run_alerts(
    instance: dg.DagsterInstance, run: dg.DagsterRun, resource: AlertsResource
) -> Iterator[Alert]:
    """What is worth an alert about a run that has ended; nothing of one that is retried."""
    link = f"{resource.dagster_url.rstrip('/')}/runs/{run.run_id}" if resource.dagster_url else ""
    by = run.tags.get(STARTED_BY, "a person")
    if run.status is dg.DagsterRunStatus.FAILURE and run.tags.get(_WILL_RETRY) != "true":
        steps = _failed_steps(instance, run.run_id)
        refused = [step for step, error in steps if error == "ReleaseRefused"]
        for step in refused:
            yield Alert("release refused", step, f"Run {run.run_id[:8]}, started by {by}.", link)
        others = [f"{step} ({error})" for step, error in steps if error != "ReleaseRefused"]
        if others or not refused:
            where = f"failed at {', '.join(others)}" if others else "failed outside its steps"
            text = f"Run {run.run_id[:8]}, started by {by}, {where}."
            yield Alert("run failed", run.job_name, text, link)
    yield from _check_alerts(instance, run.run_id, link)


def _ended_runs(instance: dg.DagsterInstance, seen: Seen) -> Sequence[dg.RunRecord]:
    records = instance.get_run_records(
        dg.RunsFilter(statuses=_ENDED, updated_after=seen.until - _OVERLAP)
    )
    # The first look reports nothing of the past.
    return [
        one
        for one in records
        if one.dagster_run.run_id not in seen.runs
        and one.end_time is not None
        and one.end_time >= (seen.until - _OVERLAP).timestamp()
    ]


def _failed_steps(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str, str]]:
    """The steps that failed, each with the class of its error: messages are free text."""
    found = []
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        if event is None or event.step_key is None:
            continue
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        name = (error.cls_name if error else None) or "no error"
        found.append((event.step_key.replace("__", "/"), name))
    return found


def _check_alerts(instance: dg.DagsterInstance, run_id: str, link: str) -> Iterator[Alert]:
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        if entry.dagster_event is None:
            continue
        check = entry.dagster_event.asset_check_evaluation_data
        if check.passed:
            continue
        figures = ", ".join(
            f"{name} {value.value:.3g}"
            for name, value in check.metadata.items()
            if isinstance(value, (dg.FloatMetadataValue, dg.IntMetadataValue))
            and value.value is not None
        )
        yield Alert(
            "check failed" if check.severity is dg.AssetCheckSeverity.ERROR else "check warned",
            f"{check.check_name} of {check.asset_key.to_user_string()}",
            f"Run {run_id[:8]}{': ' + figures if figures else ''}.",
            link,
        )
