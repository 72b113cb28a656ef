"""The bank: filled where that is asked for and allowed, looked at in every case."""

import dagster as dg
from pydantic import Field

from loan_pipeline.bank.observe import observe
from loan_pipeline.bank.protocol import Bank
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.defs.keys import GROUPS
from loan_pipeline.defs.raw import BANK, POOL, raw_key
from loan_pipeline.defs.resources import BankResource
from loan_pipeline.sources.open import open_source


class FillConfig(dg.Config):
    """Where the bank is filled from."""

    source: str = Field(
        default="",
        description="sample, sample:scale=2, a folder or .zip of text files, a .sql dump, a SQLite "
        "file, ctu, or env:NAME where the environment variable NAME holds a server's URL. Empty: "
        "the bank keeps what it holds, and an empty one is filled with the sample bank.",
    )


def fill_where_asked(
    bank: Bank, source: str, *, managed: bool, bastion: str | None = None
) -> str | None:
    """Fill the bank from a source, or an empty one with the sample bank.

    Args:
        bank: the bank.
        source: as `FillConfig` says.
        managed: False where the bank is the system of record, which stays as it is.
        bastion: the SSH host that reaches a server.

    Returns:
        What it was filled from; None where it keeps what it holds.

    Raises:
        BankError: a source was named, but the bank is only read; or the source breaks the contract.
    """
    if not source and (bank.exists() or not managed):
        return None
    chosen = open_source(source or "sample", bastion=bastion)
    bank.fill(chosen)
    return chosen.name


@dg.asset(key=BANK, group_name=GROUPS["bank"], pool=POOL, kinds={"database"})
def bank_contents(
    context: dg.AssetExecutionContext, config: FillConfig, bank: BankResource
) -> dg.MaterializeResult[None]:
    """The bank's database. All tables are filled together or not at all.

    Each raw table gets a materialisation where it was filled, an observation where it was not.
    """
    opened = bank.open()
    filled_from = fill_where_asked(
        opened, config.source, managed=bank.managed, bastion=bank.settings.bastion
    )
    event = dg.AssetObservation if filled_from is None else dg.AssetMaterialization
    observed = observe(opened)
    for table in TABLES:
        seen = observed[table.name]
        newest = {} if seen.newest is None else {"newest": seen.newest.isoformat()}
        context.log_event(
            event(asset_key=raw_key(table), metadata={"dagster/row_count": seen.rows, **newest})
        )
    return dg.MaterializeResult(
        metadata={
            "bank": opened.name,
            "filled_from": filled_from or "nothing: it keeps what it holds",
            "dagster/row_count": sum(seen.rows for seen in observed.values()),
        }
    )


def bank() -> dg.Definitions:
    """The asset."""
    return dg.Definitions(assets=[bank_contents])
