"""Stages of the pipeline as processes to kill, forked from one that has imported it all once."""

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from loan_pipeline import defs
from loan_pipeline.settings import Settings

_CONTEXT = multiprocessing.get_context("forkserver")
# What takes seconds to import, which the process that is forked does once.
_PRELOADED = [
    *("autogluon.tabular", "boto3.session", "matplotlib.pyplot", "onnxmltools", "skl2onnx"),
    *("alembic.command", "ibis.backends.duckdb", "networkx", "sqlalchemy.dialects.sqlite"),
    "dagster._core.storage.sqlite_storage",
    *("loan_pipeline.run", "webapp.recording.shipping"),
    *(f"loan_pipeline.defs.{path.stem}" for path in Path(defs.__path__[0]).glob("*.py")),
]


def start_stage(
    settings: Settings, job: str, assets: Sequence[str], ops: Mapping[str, Any]
) -> ForkServerProcess:
    """Start a run of these assets of a job; it ends with 0 where it succeeds."""
    return _start(_run_stage, settings, job, assets, ops)


def start_shipping(settings: Settings) -> ForkServerProcess:
    """Start shipping the prediction log once, as the web app does."""
    return _start(_ship, settings)


def log_of(settings: Settings) -> Path:
    """What the processes of these settings have printed."""
    return settings.home / "stages.log"


def _start(target: Callable[..., None], settings: Settings, *arguments: Any) -> ForkServerProcess:
    _CONTEXT.set_forkserver_preload(_PRELOADED)
    # The forked process has the environment of the first test that started one.
    environment = dict(os.environ)
    process = _CONTEXT.Process(
        target=_in_child, args=(environment, target, settings, *arguments), daemon=True
    )
    process.start()
    return process


def _in_child(
    environment: Mapping[str, str], target: Callable[..., None], settings: Settings, *arguments: Any
) -> None:
    """Run with this environment, with what is printed in a file, and with short pauses."""
    os.environ.clear()
    os.environ.update(environment)
    log = os.open(log_of(settings), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    tempfile.tempdir = str(settings.home)  # a killed process leaves its temporary folders behind
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(seconds / 100)  # between tries, of boto3 and of our own
    target(settings, *arguments)


def _run_stage(settings: Settings, job: str, assets: Sequence[str], ops: Mapping[str, Any]) -> None:
    import dagster as dg

    from loan_pipeline.definitions import build_defs
    from loan_pipeline.instance import prepare_dagster_home
    from loan_pipeline.run import failure_message

    home = prepare_dagster_home(settings)
    definition = build_defs(settings).resolve_job_def(job)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        result = definition.execute_in_process(
            run_config={"ops": ops},
            instance=instance,
            asset_selection=[dg.AssetKey.from_user_string(asset) for asset in assets],
            raise_on_error=False,
        )
    if not result.success:
        sys.exit(failure_message(result))


def _ship(settings: Settings) -> None:
    from loan_pipeline.lake.open import open_store
    from webapp.recording.shipping import LogShipper

    LogShipper(settings.home / "predictions.sqlite", open_store(settings.lake)).ship_now()
