"""The console script `loan-pipeline`: each command is a few lines over the packages below."""

import json
import os
import sys
import warnings
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from loan_pipeline.bank_commands import bank
from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FeatureSet
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.json_text import json_text
from loan_pipeline.release_commands import releases
from loan_pipeline.settings import Settings, load_settings
from loan_pipeline.training.recipes import RECIPE_NAMES


class _Commands(click.Group):
    """Prints an error that a user can fix as one message, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LoanPipelineError as error:
            raise click.ClickException(str(error)) from error
        except ValidationError as error:
            if error.title != Settings.__name__:
                raise
            raise click.ClickException(_settings_message(error)) from error


_RECIPE = click.option(
    "--recipe",
    type=click.Choice(RECIPE_NAMES),
    default="default",
    show_default=True,
    help="How to train.",
)
_HYPERPARAMETERS = click.option(
    "--hyperparameters",
    "hyperparameters_file",
    type=click.Path(path_type=Path),
    help="A recipe of your own in place of --recipe: AutoGluon's dictionary as JSON or YAML.",
)
_PRESETS = click.option("--presets", help="AutoGluon's preset for a recipe of your own.")
_TIME_LIMIT = click.option(
    "--time-limit", type=float, help="Seconds after which AutoGluon stops a training."
)
_TARGET = click.option(
    "--target",
    type=click.Choice(["observed", "finished"]),
    default="observed",
    show_default=True,
    help="observed: A and C good, B and D bad; finished: A good, B bad.",
)


def _settings_message(error: ValidationError) -> str:
    # Only names and reasons: a rejected value may be a secret.
    lines = [f"LOAN_{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()]
    return "the settings in the environment are not usable:\n  " + "\n  ".join(lines)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="loan-pipeline")
def main() -> None:
    """Learns from a bank's own database which loans will be paid off."""
    # Libraries' notices about their own future are for us, not for people at a terminal.
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


main.add_command(bank)
main.add_command(releases)


@main.command()
@click.option(
    "--source",
    default="",
    help="Fill the bank first: sample, DIR (PKDD'99 files), FILE.sql, a SQLite file, env:NAME or "
    "ctu. Without it the bank keeps what it holds; an empty one gets the sample.",
)
@_RECIPE
@_HYPERPARAMETERS
@_PRESETS
@_TIME_LIMIT
@_TARGET
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def run(
    source: str,
    recipe: str,
    hyperparameters_file: Path | None,
    presets: str | None,
    time_limit: float | None,
    target: str,
    *,
    as_json: bool,
) -> None:
    """Fill the bank where asked, then run the whole pipeline through Dagster."""
    from loan_pipeline.run import run_pipeline, summary_lines
    from loan_pipeline.training.own_recipe import chosen_recipe, read_hyperparameters
    from loan_pipeline.training.recipes import require_installed

    hyperparameters = read_hyperparameters(hyperparameters_file) if hyperparameters_file else {}
    require_installed(chosen_recipe(recipe, hyperparameters, presets, time_limit))
    summary = run_pipeline(
        load_settings(),
        source=source,
        recipe=recipe,
        hyperparameters=hyperparameters,
        presets=presets or "",
        time_limit=time_limit or 0.0,
        target=target,
    )
    if as_json:
        click.echo(json_text(summary.model_dump(mode="json")))
    else:
        click.echo("\n".join(summary_lines(summary)))


@main.command()
@click.option("--source", required=True, help="A folder of PKDD'99 files, or `sample`.")
@click.option(
    "--train-until",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Train on loans granted up to this day, test on the later ones.",
)
@click.option(
    "--rolling",
    type=click.IntRange(min=1),
    metavar="MONTHS",
    help="Rolling origin: train at successive dates so many months apart, test on all later loans.",
)
@click.option("--repeats", default=4, show_default=True, help="Cross-validation: repeats.")
@click.option("--folds", default=5, show_default=True, help="Cross-validation: folds.")
@click.option(
    "--feature-set",
    type=click.Choice(FEATURE_SET_NAMES),
    default="behavioural",
    show_default=True,
)
@_TARGET
@_RECIPE
@_HYPERPARAMETERS
@_PRESETS
@_TIME_LIMIT
@click.option(
    "--exclude",
    multiple=True,
    metavar="FEATURE",
    help="Leave a feature out; may be repeated. LOAN_EXCLUDED_FEATURES counts without it.",
)
@click.option("--seed", default=0, show_default=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the result here.")
def backtest(
    source: str,
    train_until: datetime | None,
    rolling: int | None,
    repeats: int,
    folds: int,
    feature_set: FeatureSet,
    target: str,
    recipe: str,
    hyperparameters_file: Path | None,
    presets: str | None,
    time_limit: float | None,
    exclude: tuple[str, ...],
    seed: int,
    json_file: Path | None,
) -> None:
    """Measure on loans the model has not seen: later ones, or by repeated cross-validation."""
    if train_until and rolling:
        raise click.UsageError("give either --train-until or --rolling")
    from loan_pipeline.evaluation.backtest import backtest as train_and_test
    from loan_pipeline.evaluation.backtest import cross_validate
    from loan_pipeline.evaluation.rolling import rolling_origin
    from loan_pipeline.load_loans import load_loans
    from loan_pipeline.terminal import shown_on_terminal
    from loan_pipeline.training.own_recipe import chosen_recipe, read_hyperparameters

    hyperparameters = read_hyperparameters(hyperparameters_file) if hyperparameters_file else None
    how: dict[str, Any] = {
        "feature_set": feature_set,
        "chosen": chosen_recipe(recipe, hyperparameters, presets, time_limit),
        "target": target,
        "excluded": exclude or load_settings().excluded_features,
        "seed": seed,
    }
    with shown_on_terminal():
        loans = load_loans(source, bastion=load_settings().bastion)
        if train_until:
            result = train_and_test(loans, train_until.date(), **how)
        elif rolling:
            result = rolling_origin(loans, rolling, **how)
        else:
            result = cross_validate(loans, repeats=repeats, folds=folds, **how)
    if json_file:
        json_file.write_text(json.dumps(result, indent=2, default=str) + "\n")
    click.echo(json_text(result))


@main.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--scale", default=1.0, show_default=True, help="1 is 4,500 accounts.")
@click.option("--seed", default=1, show_default=True)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["pkdd", "parquet"]),
    default="pkdd",
    show_default=True,
    help="PKDD'99 files, or a snapshot.",
)
def sample(out: Path, scale: float, seed: int, file_format: str) -> None:
    """Write a sample bank."""
    from loan_pipeline.sources.sample import SampleSource, write_parquet, write_pkdd
    from loan_pipeline.terminal import shown_on_terminal

    source = SampleSource(scale=scale, seed=seed)
    with shown_on_terminal():
        (write_pkdd if file_format == "pkdd" else write_parquet)(source, out)
    click.echo(f"Wrote the {source.name} to {out}")


@main.command()
@click.option("--sql", is_flag=True, help="Print the SQL that computes them, for auditors.")
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    default="1999-01-01",
    show_default=True,
    help="With --sql: the accounts' features know what happened before this day.",
)
def features(as_of: datetime, *, sql: bool) -> None:
    """Print the catalogue of features, or the SQL that computes them."""
    from loan_pipeline.contracts.currency import in_currency
    from loan_pipeline.features.builder import FEATURE_TABLES
    from loan_pipeline.features.catalogue import catalogue
    from loan_pipeline.features.sql import sql_of

    if not sql:
        click.echo(in_currency(catalogue(), load_settings().currency), nl=False)
        return
    for name in FEATURE_TABLES:
        click.echo(f"-- {name}\n{sql_of(name, as_of.date())};\n")


@main.command()
@click.option("--account", required=True, type=int, help="Account number.")
@click.option("--amount", required=True, type=float, help="Amount, in the bank's currency.")
@click.option("--duration", required=True, type=int, help="Duration of the loan, months.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def score(account: int, amount: float, duration: int, *, as_json: bool) -> None:
    """Score an applicant with the latest released predictor."""
    from loan_pipeline.contracts.currency import in_currency
    from loan_pipeline.lake.open import open_store
    from loan_pipeline.scoring.release import load_latest

    settings = load_settings()
    scorer = load_latest(
        open_store(settings.lake),
        "behavioural",
        settings.home / "cache",
        allow_pickles=settings.allow_pickles,
        loss_given_default=settings.loss_given_default,
    )
    prediction = scorer.score_account(account, amount, duration)
    if as_json:
        click.echo(in_currency(json_text(asdict(prediction)), settings.currency))
        return
    for one in prediction.referral:
        text = in_currency(one.text, settings.currency)
        click.echo(f"A person must decide: {text}")
    click.echo(
        f"{prediction.prediction.replace('_', ' ')}: probability of being paid off "
        f"{prediction.probability_paid_off:.1%}, threshold {prediction.threshold:.1%} "
        f"(model {prediction.model_version})"
    )
    for reason in prediction.reasons[:5]:
        text = in_currency(reason.text, settings.currency)
        click.echo(f"  {reason.contribution:+.3f}  {text}")


@main.command()
@click.option("--host", envvar="WEB_HOST", help="127.0.0.1; every address where PORT is set.")
@click.option(
    "--port",
    envvar=["PORT", "WEB_PORT"],
    type=int,
    default=8000,
    show_default=True,
    show_envvar=True,
)
def serve(host: str | None, port: int) -> None:
    """Serve the web app until SIGTERM or Ctrl-C."""
    from webapp.serve import serve as serve_app

    # A platform that sets PORT reaches it from outside; on one's own machine others must not.
    default = "0.0.0.0" if os.environ.get("PORT") else "127.0.0.1"  # noqa: S104
    serve_app(load_settings(), host or default, port)


@main.command("api-key")
@click.argument("client")
def api_key(client: str) -> None:
    """Make a key for a CLIENT of the web app's API: printed once, stored hashed."""
    from webapp.security.api_keys import new_api_key

    key, entry = new_api_key(client)
    click.echo(f"The key, for the client alone; it is not shown again:\n  {key}")
    click.echo(f"The entry to add to LOAN_WEB_API_KEYS, which revokes it when removed:\n  {entry}")


@main.command("dagster-home", hidden=True)
def dagster_home() -> None:
    """Print where Dagster keeps its state, prepared."""
    from loan_pipeline.instance import prepare_dagster_home

    click.echo(prepare_dagster_home(load_settings()))
