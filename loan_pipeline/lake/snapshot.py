"""A snapshot's place in the store: names, manifest, the latest pointer, and what to delete.

A snapshot without its manifest does not exist. How its files are made belongs to `direct` and
`rds`, how they are read to `reader`.
"""

import logging
import re
import secrets
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.lake.protocol import Store, StoreConflict, StoreKeyMissing

logger = logging.getLogger("loan_pipeline.lake")

ROOT = "snapshots"
DATABASE = "financial"
MANIFEST_FILE = "manifest.json"
LATEST_KEY = f"{ROOT}/latest.json"

# Also a valid identifier of an RDS snapshot and export: a letter first, at most 60 letters, digits
# and single hyphens.
_OWN_ID = re.compile(r"snapshot-(\d{8}t\d{6})z-[0-9a-f]{8}")
_TIME = "%Y%m%dt%H%M%S"
# A folder without a manifest is an export under way, or what a killed one left behind.
_ABANDONED_AFTER = timedelta(days=7)


class SnapshotError(LoanPipelineError):
    """A snapshot is missing, damaged or not as the contract says."""


def new_snapshot_id(now: datetime | None = None) -> str:
    """A unique id, sortable by time: `snapshot-20261122t164500z-1f2e3d4c`."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return f"snapshot-{moment.strftime(_TIME)}z-{secrets.token_hex(4)}"


def own_id_time(snapshot_id: str) -> datetime | None:
    """When this pipeline made the id; None for an id of another system."""
    match = _OWN_ID.fullmatch(snapshot_id)
    return datetime.strptime(match[1], _TIME).replace(tzinfo=UTC) if match else None


def folder_of(snapshot_id: str) -> str:
    """The snapshot's own folder in the store."""
    return f"{ROOT}/{snapshot_id}"


def manifest_key(snapshot_id: str) -> str:
    """Where the snapshot's manifest is."""
    return f"{folder_of(snapshot_id)}/{MANIFEST_FILE}"


def publish(store: Store, manifest: SnapshotManifest) -> None:
    """Write the manifest, then point "latest" to it, unless a newer snapshot is there already."""
    key = manifest_key(manifest.snapshot_id)
    store.write(key, manifest.model_dump_json(indent=1).encode())
    value = {"snapshot_id": manifest.snapshot_id, "created_at": manifest.created_at.isoformat()}
    for _ in range(10):
        current = store.read_pointer(LATEST_KEY)
        if current and datetime.fromisoformat(current.value["created_at"]) > manifest.created_at:
            logger.info(
                "%s stays the latest snapshot: it was started after %s",
                current.value["snapshot_id"],
                manifest.snapshot_id,
            )
            return
        try:
            store.replace_pointer(LATEST_KEY, value, current.token if current else None)
        except StoreConflict:
            continue
        return
    raise SnapshotError(
        f"snapshot {manifest.snapshot_id} is complete, but {store.url}/{LATEST_KEY} changes faster "
        "than it can be replaced: see who else writes there, then run the export again"
    )


def load_snapshot(store: Store, snapshot_id: str) -> SnapshotManifest:
    """The manifest of a complete snapshot.

    Raises:
        SnapshotError: there is none, or it does not read as a manifest.
    """
    key = manifest_key(snapshot_id)
    try:
        data = store.read(key)
    except StoreKeyMissing as error:
        raise SnapshotError(
            f"{store.url} holds no complete snapshot {snapshot_id}: {key} is missing"
        ) from error
    try:
        return SnapshotManifest.model_validate_json(data)
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the whole"
        raise SnapshotError(
            f"{store.url}/{key} is no snapshot manifest ({place}: {problem['msg']}): "
            "export a new snapshot"
        ) from error


def latest_snapshot(store: Store) -> SnapshotManifest:
    """The manifest of the latest snapshot; SnapshotError where there is none yet."""
    pointer = store.read_pointer(LATEST_KEY)
    if pointer is None:
        raise SnapshotError(
            f"{store.url} holds no snapshot yet: materialise the snapshot, or `loan-pipeline run`"
        )
    return load_snapshot(store, pointer.value["snapshot_id"])


def list_snapshots(store: Store) -> list[SnapshotManifest]:
    """Every complete snapshot, the newest first."""
    complete = [name for name in store.folders(ROOT) if store.exists(manifest_key(name))]
    manifests = [load_snapshot(store, snapshot_id) for snapshot_id in complete]
    return sorted(manifests, key=lambda manifest: manifest.created_at, reverse=True)


def delete_old_snapshots(store: Store, keep: int) -> list[str]:
    """Delete all but the newest `keep` snapshots that this pipeline made.

    The latest one stays whatever its age, and so do snapshots that others exported, which are
    theirs to delete. What killed exports left behind goes after a week.

    Returns:
        The ids deleted.
    """
    if keep < 1:
        raise ValueError(f"keep must be at least 1, not {keep}")
    pointer = store.read_pointer(LATEST_KEY)
    latest = pointer.value["snapshot_id"] if pointer else None
    own = {name: made for name in store.folders(ROOT) if (made := own_id_time(name))}
    complete = {name for name in own if store.exists(manifest_key(name))}
    kept = sorted(complete, key=lambda name: own[name], reverse=True)[:keep]
    abandoned = {
        name
        for name, made in own.items()
        if name not in complete and datetime.now(UTC) - made > _ABANDONED_AFTER
    }
    doomed = sorted((complete - {*kept, latest}) | abandoned)
    for snapshot_id in doomed:
        # Without its manifest first: a deletion that is interrupted leaves no broken snapshot.
        store.delete(manifest_key(snapshot_id))
        store.delete(folder_of(snapshot_id))
        logger.info("deleted snapshot %s", snapshot_id)
    return doomed
