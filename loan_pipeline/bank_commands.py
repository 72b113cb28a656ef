"""The commands `loan-pipeline bank …`, for a bank of one's own schema."""

from typing import TYPE_CHECKING

import click

from loan_pipeline.json_text import json_text
from loan_pipeline.settings import load_settings

if TYPE_CHECKING:
    from loan_pipeline.bank.check import TableCheck


@click.group()
def bank() -> None:
    """Connect a bank with tables of its own: views, and a check of them."""


@bank.command()
def views() -> None:
    """Print a skeleton of the eight views for MariaDB, every column explained."""
    from loan_pipeline.bank.views import views_skeleton

    click.echo(views_skeleton(load_settings().currency), nl=False)


@bank.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def check(context: click.Context, *, as_json: bool) -> None:
    """Say for each table and column of the bank whether it fits; ends with 1 where one does not.

    Changes nothing.
    """
    from loan_pipeline.bank.check import check_bank
    from loan_pipeline.bank.open import open_bank

    opened = open_bank(load_settings())
    checks = check_bank(opened)
    fits = all(table.fits for table in checks)
    if as_json:
        found = {"bank": opened.name, "fits": fits, "tables": [each.as_json() for each in checks]}
        click.echo(json_text(found))
    else:
        click.echo(opened.name)
        click.echo("\n".join(_lines(checks)))
        click.echo("Every column fits." if fits else "Some columns do not fit: see above.")
    context.exit(0 if fits else 1)


def _lines(checks: "list[TableCheck]") -> list[str]:
    """One line for each table and column, in columns of their widest cell."""
    rows = [("table", "column", "type", "", "findings")]
    for table in checks:
        newest = f", newest {table.newest}" if table.newest else ""
        size = "missing" if table.rows is None else f"{table.rows:,} rows{newest}"
        rows.append((table.name, size, "", "fits" if table.fits else "does not fit", ""))
        for column in table.columns:
            codes = ", ".join(f"{code} {count:,}" for code, count in column.codes.items())
            findings = [*column.problems, *(f"warning: {text}" for text in column.warnings), codes]
            state = "fits" if column.fits else "does not fit"
            shown = "; ".join(finding for finding in findings if finding)
            rows.append(("", column.name, column.type or "-", state, shown))
    widths = [max(len(row[cell]) for row in rows) for cell in range(4)]
    return [
        "  ".join([*(f"{row[i]:<{widths[i]}}" for i in range(4)), row[4]]).rstrip() for row in rows
    ]
