"""Keeps what an asset hands to the next one: a small record, as JSON in the lake.

Tables, predictors and bundles are written by the packages below; the record names them. An asset
can thus be run again alone in the UI, on another day and on another machine.
"""

from typing import TypeVar

import dagster as dg
from pydantic import BaseModel, ValidationError

from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.lake.protocol import Store, StoreKeyMissing

_Record = TypeVar("_Record", bound=BaseModel)


class RecordMissing(LoanPipelineError):
    """An asset's record is not there, or another version of this software wrote it."""


class RecordIOManager(dg.ConfigurableIOManager):
    """Writes and reads the records by the key of their asset."""

    lake: LakeResource

    def handle_output(self, context: dg.OutputContext, obj: BaseModel | None) -> None:
        """Write the record; an asset that hands on nothing has none."""
        if obj is not None:
            data = obj.model_dump_json(indent=1).encode()
            self.lake.open().write(_key(context.asset_key), data)

    def load_input(self, context: dg.InputContext) -> BaseModel:
        """Read the record as the type that the input is annotated with."""
        record_type: type[BaseModel] = context.dagster_type.typing_type
        if not issubclass(record_type, BaseModel):
            raise TypeError(f"{context.asset_key} is read as {record_type}, not as a record")
        return read_record(self.lake.open(), context.asset_key, record_type)


def read_record(store: Store, asset: dg.AssetKey, record_type: type[_Record]) -> _Record:
    """The record of an asset's last materialisation.

    Raises:
        RecordMissing: it was never materialised, or by another version of this software.
    """
    name = asset.to_user_string()
    try:
        return record_type.model_validate_json(store.read(_key(asset)))
    except StoreKeyMissing:
        raise RecordMissing(
            f"{name} was not materialised yet: {store.url}/{_key(asset)} is missing; "
            f"materialise {name} first"
        ) from None
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the whole"
        raise RecordMissing(
            f"{store.url}/{_key(asset)} is no record of this version of the software ({place}: "
            f"{problem['msg']}): materialise {name} again"
        ) from None


def _key(asset: dg.AssetKey) -> str:
    return f"assets/{'/'.join(asset.path)}.json"
