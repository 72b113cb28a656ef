"""The command `loan-pipeline releases`: what is released, what waits, and decisions on both."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FeatureSet
from loan_pipeline.json_text import json_text
from loan_pipeline.settings import load_settings

if TYPE_CHECKING:
    from loan_pipeline.release.audit import AuditEvent


@click.command()
@click.option(
    "--feature-set",
    type=click.Choice(FEATURE_SET_NAMES),
    default="behavioural",
    show_default=True,
    help="Whose releases.",
)
@click.option("--roll-back", is_flag=True, help="Make the release before the current one current.")
@click.option("--to", "version", help="With --roll-back: this version instead.")
@click.option("--approve", metavar="VERSION", help="Release a candidate that waits for approval.")
@click.option("--reject", metavar="VERSION", help="Turn down a candidate that waits.")
@click.option("--by", help="Who decides, for the audit trail; --roll-back takes the login's name.")
@click.option("--note", default="", help="Why, for the audit trail.")
@click.option("--history", is_flag=True, help="Print the audit trail of both feature sets.")
@click.option("--dossier", metavar="VERSION", help="Write a release's dossier to --out FILE.html.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="For --dossier.")
@click.option("--json", "as_json", is_flag=True, help="Print the releases, or the trail, as JSON.")
def releases(
    feature_set: FeatureSet,
    version: str | None,
    approve: str | None,
    reject: str | None,
    by: str | None,
    note: str,
    dossier: str | None,
    out: Path | None,
    *,
    roll_back: bool,
    history: bool,
    as_json: bool,
) -> None:
    """List the kept releases and what waits; approve, reject, or go back to an older one."""
    from loan_pipeline.lake.open import open_store
    from loan_pipeline.release import approval, audit
    from loan_pipeline.release import publish as release
    from loan_pipeline.release.registry import follow_in_registry
    from loan_pipeline.terminal import shown_on_terminal

    if version and not roll_back:
        raise click.UsageError("--to goes with --roll-back")
    if sum(map(bool, (roll_back, history, approve, reject, dossier))) > 1:
        raise click.UsageError(
            "one of --roll-back, --approve, --reject, --history and --dossier at a time"
        )
    if (dossier is None) != (out is None):
        raise click.UsageError("--dossier VERSION goes with --out FILE.html")
    if (approve or reject) and not (by and note):
        raise click.UsageError("--approve and --reject need --by NAME and --note WHY")
    settings = load_settings()
    store = open_store(settings.lake)
    if dossier and out:
        from loan_pipeline.release.dossier import dossier as render

        out.write_text(render(store, dossier, settings.currency))
        click.echo(f"Wrote {out}")
        return
    if history:
        _print_history(audit.history(store), as_json=as_json)
        return
    if roll_back:
        release.roll_back(store, feature_set, version, by=by or getpass.getuser(), note=note)
    elif approve:
        feature_set = approval.approve(
            store,
            approve,
            by=by or "",
            note=note,
            minimum_roc_auc=settings.minimum_roc_auc,
            keep=settings.keep_releases,
        ).feature_set
    elif reject:
        feature_set = approval.reject(store, reject, by=by or "", note=note).feature_set
    if roll_back or approve:
        with shown_on_terminal():
            follow_in_registry(store, feature_set, settings.mlflow_tracking_uri)
    waiting = approval.waiting(store, feature_set)
    kept = release.releases(store, feature_set)
    if as_json:
        records = [
            *(one.manifest.model_dump(mode="json") | {"current": one.current} for one in kept),
            *(one.model_dump(mode="json") | {"waiting": True} for one in waiting),
        ]
        click.echo(json_text(records))
        return
    for manifest in waiting:
        click.echo(f"? {manifest.version}  waits for approval: --approve or --reject it")
    if not kept:
        click.echo(f"no {feature_set} model was released yet: make run")
    for one in kept:
        test = one.manifest.metrics["out_of_time"]["roc_auc"]
        click.echo(
            f"{'*' if one.current else ' '} {one.version}  recipe {one.manifest.training.recipe}, "
            f"{one.manifest.training.n_train} loans until {one.manifest.training.last_loan_date}, "
            f"out-of-time ROC AUC {test.value:.3f} ({test.low:.3f} to {test.high:.3f})"
        )


def _print_history(events: "list[AuditEvent]", *, as_json: bool) -> None:
    if as_json:
        click.echo(json_text([event.model_dump(mode="json") for event in events]))
        return
    for event in events:
        note = f": {event.note}" if event.note else ""
        click.echo(
            f"{event.at:%Y-%m-%d %H:%M:%S}  {event.feature_set:<11}  {event.event:<11}  "
            f"{event.version}  by {event.by}{note}"
        )
