"""Dagster definitions of seconds, for tests of a deployment."""

import os
import signal

import dagster as dg


@dg.op
def say() -> None:
    """Prints, for the compute logs."""
    print("said by a step")


@dg.op
def die_once(context: dg.OpExecutionContext) -> None:
    """Kills its own process unless it is a retry, as a machine that is taken away would."""
    if context.run.parent_run_id is None:
        os.kill(os.getpid(), signal.SIGKILL)


@dg.op
def refuse() -> None:
    """Fails, as a check does."""
    raise ValueError("the bank's data says no")


@dg.job(executor_def=dg.in_process_executor)
def fine() -> None:
    """Ends well."""
    say()


@dg.job(executor_def=dg.in_process_executor)
def dies_once() -> None:
    """Its first process dies."""
    die_once()


@dg.job(executor_def=dg.in_process_executor)
def refused() -> None:
    """Fails every time."""
    refuse()


every_minute = dg.ScheduleDefinition(name="every_minute", job=fine, cron_schedule="* * * * *")


@dg.sensor(job=fine, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def seen() -> dg.RunRequest:
    """Asks for the same run again and again."""
    return dg.RunRequest(run_key="the same every time")


defs = dg.Definitions(jobs=[fine, dies_once, refused], schedules=[every_minute], sensors=[seen])
