"""Verdicts in the lake: written where the rules are evaluated, demanded where a step builds on.

A verdict lies beside what it is about and goes with it.
"""

from typing import TypeVar

from pydantic import ValidationError

from loan_pipeline.contracts.origin import require_same
from loan_pipeline.contracts.verdict import FeatureTableVerdict, SnapshotVerdict, Verdict
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.lake.feature_tables import FeatureTable, feature_table_key
from loan_pipeline.lake.protocol import Store, StoreKeyMissing
from loan_pipeline.lake.snapshot import folder_of

_FILE = "verdict.json"

_Kind = TypeVar("_Kind", bound=Verdict)


class NotFitForUse(LoanPipelineError):
    """The rules about a thing failed, or were not evaluated: nothing may be built on it."""


def write_snapshot_verdict(store: Store, verdict: SnapshotVerdict) -> None:
    """Keep a snapshot's verdict in its folder, over an earlier one."""
    store.write(_snapshot_key(verdict.snapshot_id), verdict.model_dump_json(indent=1).encode())


def write_table_verdict(store: Store, verdict: FeatureTableVerdict) -> None:
    """Keep a feature table's verdict beside it, over that of an earlier table."""
    key = feature_table_key(verdict.snapshot_id, verdict.table, _FILE)
    store.write(key, verdict.model_dump_json(indent=1).encode())


def require_snapshot_passed(store: Store, snapshot_id: str) -> None:
    """Refuse a snapshot that breaks a rule, or that no rule was asked of.

    Raises:
        NotFitForUse: the message holds the rules' own words.
        RecordsDiffer: the verdict is about another snapshot.
    """
    what, fix = f"snapshot {snapshot_id}", "materialise the snapshot again"
    verdict = _read(store, _snapshot_key(snapshot_id), SnapshotVerdict, what, fix)
    require_same(
        "snapshot", ("the verdict beside it", verdict.snapshot_id), ("the record", snapshot_id), fix
    )
    _require_passed(verdict, what, fix)


def require_table_passed(store: Store, table: FeatureTable) -> None:
    """Refuse a feature table that breaks a rule, or that no rule was asked of, or its snapshot.

    Raises:
        NotFitForUse: the message holds the rules' own words.
        RecordsDiffer: the verdict is about another table of that name.
    """
    require_snapshot_passed(store, table.snapshot_id)
    what = f"{table.name} {table.table_id[:12]} of snapshot {table.snapshot_id}"
    fix = f"materialise {table.name} again"
    key = feature_table_key(table.snapshot_id, table.name, _FILE)
    verdict = _read(store, key, FeatureTableVerdict, what, fix)
    require_same(
        "table",
        (f"the verdict on {table.name}", verdict.table_id),
        (f"the record of {table.name}", table.table_id),
        fix,
    )
    _require_passed(verdict, what, fix)


def _snapshot_key(snapshot_id: str) -> str:
    return f"{folder_of(snapshot_id)}/{_FILE}"


def _read(store: Store, key: str, kind: type[_Kind], what: str, fix: str) -> _Kind:
    try:
        return kind.model_validate_json(store.read(key))
    except StoreKeyMissing:
        raise NotFitForUse(
            f"{what} must not be used: its rules were not evaluated ({store.url}/{key} is "
            f"missing); {fix}"
        ) from None
    except ValidationError as error:
        raise NotFitForUse(
            f"{what} must not be used: {store.url}/{key} is damaged; {fix}"
        ) from error


def _require_passed(verdict: Verdict, what: str, fix: str) -> None:
    if not verdict.passed:
        raise NotFitForUse(f"{what} must not be used: {verdict.refusal}; then {fix}")
