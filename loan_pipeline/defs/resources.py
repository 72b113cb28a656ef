"""What assets get handed: the bank, the lake, and where small results are kept.

Settings are read when a run starts, never while definitions load.
"""

import json

import dagster as dg
from pydantic import BaseModel

from loan_pipeline.bank.open import open_bank
from loan_pipeline.bank.protocol import Bank
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.protocol import Store
from loan_pipeline.settings import Settings


class BankResource(dg.ConfigurableResource[Bank]):
    """The bank's database, as LOAN_DATABASE_URL names it; the embedded bank without one."""

    def open(self) -> Bank:
        """Give the bank; connections are made when it is read or filled."""
        return open_bank(Settings())


class LakeResource(dg.ConfigurableResource[Store]):
    """The store that LOAN_LAKE_URL names; a folder in LOAN_HOME without one."""

    def open(self) -> Store:
        """Give the store."""
        return open_store(Settings().lake)


class ReferenceIOManager(dg.ConfigurableIOManager):
    """Keeps what an asset hands to the next one: a small record, as JSON in the lake.

    Tables, models and bundles are written by the rooms themselves; the record names them. An asset
    can thus be run again alone in the UI, on another day and in another process.
    """

    def handle_output(self, context: dg.OutputContext, obj: BaseModel | None) -> None:
        """Write the record; an asset that hands on nothing has none."""
        if obj is None:
            return
        key = _reference_key(context.asset_key)
        open_store(Settings().lake).write(key, obj.model_dump_json(indent=1).encode())

    def load_input(self, context: dg.InputContext) -> BaseModel:
        """Read the record as the type that the input is annotated with."""
        record_type: type[BaseModel] = context.dagster_type.typing_type
        if not issubclass(record_type, BaseModel):
            raise TypeError(f"{context.asset_key} is read as {record_type}, not as a record")
        text = open_store(Settings().lake).read(_reference_key(context.asset_key))
        return record_type.model_validate(json.loads(text))


def _reference_key(asset: dg.AssetKey) -> str:
    return f"assets/{'/'.join(asset.path)}.json"


@dg.definitions
def resources() -> dg.Definitions:
    """Resources by the names that assets ask for."""
    return dg.Definitions(
        resources={
            "bank": BankResource(),
            "lake": LakeResource(),
            "io_manager": ReferenceIOManager(),
        }
    )
