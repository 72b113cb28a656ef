"""The whole pipeline as one Dagster run, started from the command line."""

import re
import time
from typing import Any

import dagster as dg
from pydantic import BaseModel

from loan_pipeline.bank.open import open_bank
from loan_pipeline.contracts.bundle import BundleManifest
from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FeatureSet
from loan_pipeline.definitions import build_defs
from loan_pipeline.defs.jobs import fill_ops, training_ops, whole_pipeline
from loan_pipeline.defs.keys import STARTED_BY, release_key
from loan_pipeline.defs.step_logger import STEP_LOGGER
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.instance import prepare_dagster_home
from loan_pipeline.lake.feature_tables import FeatureTable, read_feature_table
from loan_pipeline.lake.open import open_store
from loan_pipeline.settings import Settings
from loan_pipeline.sources.open import refuse_password
from loan_pipeline.terminal import shown_on_terminal


class RunFailedError(LoanPipelineError):
    """The run ended before its last step; what was released before is still released."""


class RunSummary(BaseModel):
    """What a finished run leaves behind.

    Attributes:
        bank: which database was read; without a secret.
        lake: where snapshots, predictors and releases are.
        home: where models are cached and Dagster's state is.
        waits_for_approval: whether a person must approve the candidates before they are released.
    """

    run_id: str
    seconds: float
    home: str
    bank: str
    lake: str
    example_account: int
    waits_for_approval: bool = False
    releases: dict[FeatureSet, BundleManifest]


def run_pipeline(settings: Settings, *, source: str, **training: Any) -> RunSummary:
    """Run every asset in this process, on the instance that the UI shows.

    Args:
        settings: the settings.
        source: what to fill the bank with; empty: as it is.
        training: fields of `defs.training_config.TrainingConfig`.

    Raises:
        RunFailedError: a step failed; the message is the step's own where a user can fix it.
    """
    refuse_password(source)  # before Dagster keeps the run's configuration
    home = prepare_dagster_home(settings)
    started = time.monotonic()
    job = build_defs(settings).resolve_job_def(whole_pipeline.name)
    with dg.DagsterInstance.from_config(str(home)) as instance, shown_on_terminal():
        result = job.execute_in_process(
            run_config=_run_config(source, training),
            instance=instance,
            raise_on_error=False,
            tags={STARTED_BY: "loan-pipeline run"},
        )
    if not result.success:
        raise RunFailedError(failure_message(result))
    releases = {name: result.asset_value(release_key(name)) for name in FEATURE_SET_NAMES}
    return RunSummary(
        run_id=result.run_id,
        seconds=time.monotonic() - started,
        home=str(settings.home),
        bank=open_bank(settings).name,
        lake=settings.lake,
        example_account=_some_account(settings, result),
        waits_for_approval=settings.release_approval == "manual",
        releases=releases,
    )


def _run_config(source: str, training: dict[str, Any]) -> dict[str, Any]:
    ops = fill_ops(source) | training_ops(**training)
    return {"loggers": {STEP_LOGGER: {}}, "ops": ops}


def _some_account(settings: Settings, result: dg.ExecuteInProcessResult) -> int:
    """An account number that the summary's example can be tried with."""
    table: FeatureTable = result.asset_value(dg.AssetKey("account_features"))
    accounts = read_feature_table(open_store(settings.lake), table, ["account_id"])
    return int(accounts["account_id"].min())


def failure_message(result: dg.ExecuteInProcessResult) -> str:
    """What failed, in the words of the check or step that did; the release stays as it was."""
    failed = [
        f"the check «{check.check_name}» of {check.asset_key.to_user_string()} failed: "
        f"{check.description}"
        for check in result.get_asset_check_evaluations()
        if not check.passed and check.severity is dg.AssetCheckSeverity.ERROR
    ]
    # A step whose check failed has nothing to add.
    for event in [] if failed else result.all_node_events:
        if event.event_type is not dg.DagsterEventType.STEP_FAILURE:
            continue
        error = event.step_failure_data.error
        # Our own errors say what to do; what caused them does not.
        while error and error.cause and not error.message.startswith("loan_pipeline."):
            error = error.cause
        step = (event.step_key or "").replace("__", " ").replace("_", " ")
        if error is not None:
            # Ours are written for people; a library's keeps the name of its type.
            words = re.sub(r"^loan_pipeline\.[\w.]+: ", "", error.message.strip())
            failed.append(f"the step «{step}» failed: {words}")
    if not failed:
        return "the run failed outside its steps; the Dagster UI shows its log (make up)"
    return "\n".join([*failed, "What was released before is still released."])


_FIGURES = (
    ("cross_validation", "roc_auc", "ROC AUC, cross-validated"),
    ("out_of_time", "roc_auc", "ROC AUC, out of time"),
    ("cross_validation", "average_precision", "average precision of bad loans, cross-validated"),
    ("out_of_time", "average_precision", "average precision of bad loans, out of time"),
    ("cross_validation", "balanced_accuracy", "balanced accuracy, cross-validated"),
    ("cross_validation", "brier", "Brier score, cross-validated"),
)


def summary_lines(summary: RunSummary) -> list[str]:
    """The summary in words: figures, where things are, what to do next."""
    releases = summary.releases
    width = max(len(label) for _, _, label in _FIGURES)
    minutes, seconds = divmod(round(summary.seconds), 60)
    ended = "Waits for approval after" if summary.waits_for_approval else "Released in"

    def row(label: str, cells: dict[FeatureSet, str]) -> str:
        return f"  {label:<{width}}  " + "".join(f"{cells[name]:<32}" for name in releases).rstrip()

    lines = [
        "",
        f"{ended} {minutes} min {seconds} s.",
        "",
        row("", {name: name for name in releases}),
        row(
            "loans learned from (bad)",
            {n: f"{r.training.n_train} ({r.training.bad_train})" for n, r in releases.items()},
        ),
    ]
    for sample, name, label in _FIGURES:
        cells = {}
        for feature_set, release in releases.items():
            metric = release.metrics.get(sample, {}).get(name)  # not every recipe bags
            cells[feature_set] = (
                f"{metric.value:.3f} ({metric.low:.3f}-{metric.high:.3f})"
                if metric
                else "not measured"
            )
        lines.append(row(label, cells))
    lines += [
        row("«paid off» from probability", {n: f"{r.threshold:.1%}" for n, r in releases.items()}),
        row("version", {n: r.version for n, r in releases.items()}),
        "  In brackets: 95 % intervals.",
        "",
        "Where things are",
        f"  the bank that was read             {summary.bank}",
        f"  snapshots, predictors, releases    {summary.lake}",
        f"  cached models and Dagster's state  {summary.home}",
        "",
        "What to do next",
        *(
            f"  loan-pipeline releases --feature-set {name} --approve {one.version} --by NAME"
            for name, one in releases.items()
            if summary.waits_for_approval
        ),
        "  make up                            Dagster's UI with this run in it, and the web form",
        "  make run SOURCE=DIR                the same on PKDD'99 files",
        f"  loan-pipeline score --account {summary.example_account} --amount 96000 --duration 24",
        "                                     in .venv/bin: score an applicant from the terminal",
    ]
    return lines
