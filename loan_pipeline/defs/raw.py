"""The bank's eight raw tables: filled here, or only observed where the bank is not ours."""

from collections.abc import Iterator

import dagster as dg

from loan_pipeline.bank.observe import observe
from loan_pipeline.bank.protocol import Bank
from loan_pipeline.contracts.tables import TABLES, TABLES_BY_NAME, Table
from loan_pipeline.defs.resources import BankResource
from loan_pipeline.settings import Settings
from loan_pipeline.sources.open import open_source

GROUP = "bank"


def raw_key(table: Table) -> dg.AssetKey:
    """The asset key of a raw table."""
    return dg.AssetKey(["raw", table.name])


def _spec(table: Table) -> dg.AssetSpec:
    columns = dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                column.kind,
                column.meaning,
                dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in table.columns
        ]
    )
    return dg.AssetSpec(
        raw_key(table),
        group_name=GROUP,
        kinds={"mariadb"},
        description=f"{table.meaning.capitalize()}.",
        metadata={"dagster/column_schema": columns},
    )


class FillConfig(dg.Config):
    """Where the bank is filled from.

    Attributes:
        source: `sample`, a folder of PKDD'99 files, `FILE.sql`, `ctu`, or `env:NAME` where the
            environment variable NAME holds a server's URL. Empty: the bank keeps what it holds,
            and an empty bank is filled with the sample.
    """

    source: str = ""


def _fill_where_asked(context: dg.AssetExecutionContext, bank: Bank, source: str) -> None:
    if source or not bank.exists():
        chosen = open_source(source or "sample", bastion=Settings().bastion)
        context.log.info("filling the %s from %s", bank.name, chosen.name)
        bank.fill(chosen)
    else:
        context.log.info("the %s keeps what it holds", bank.name)


def _observed(bank: Bank) -> Iterator[tuple[Table, dict[str, dg.MetadataValue]]]:
    for name, seen in observe(bank).items():
        metadata: dict[str, dg.MetadataValue] = {
            "dagster/row_count": dg.MetadataValue.int(seen.rows)
        }
        if seen.newest is not None:
            metadata["newest"] = dg.MetadataValue.text(seen.newest.isoformat())
        yield TABLES_BY_NAME[name], metadata


@dg.multi_asset(name="raw_tables", specs=[_spec(table) for table in TABLES])
def raw_tables(
    context: dg.AssetExecutionContext, config: FillConfig, bank: BankResource
) -> Iterator[dg.MaterializeResult[None]]:
    """All tables in one step: they are filled together or not at all."""
    opened = bank.open()
    _fill_where_asked(context, opened, config.source)
    for table, metadata in _observed(opened):
        yield dg.MaterializeResult(asset_key=raw_key(table), metadata=metadata)


@dg.multi_observable_source_asset(name="raw_tables", specs=[_spec(table) for table in TABLES])
def observed_raw_tables(bank: BankResource) -> Iterator[dg.ObserveResult]:
    """The tables of a bank that is the system of record: looked at, never written."""
    for table, metadata in _observed(bank.open()):
        yield dg.ObserveResult(asset_key=raw_key(table), metadata=metadata)


@dg.definitions
def raw() -> dg.Definitions:
    """The tables as LOAN_BANK_MANAGED says."""
    assets = raw_tables if Settings().bank_managed else observed_raw_tables
    return dg.Definitions(assets=[assets])
