"""DB snapshots of the bank's instance: those we make, find again, and clean up.

Exporting one of them belongs to `rds`.
"""

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from loan_pipeline.lake.rds.client import PatientRds, RdsError, status_of
from loan_pipeline.lake.snapshot import new_snapshot_id, own_id_time

logger = logging.getLogger("loan_pipeline.lake")

_PREFIX = "loan-"  # RDS keeps names in lower case
# The names of snapshots that RDS or AWS Backup made begin with these; RDS wants the type as well.
_KINDS = {"rds": "automated", "awsbackup": "awsbackup"}
_LAKE_TAG = "loan-pipeline:lake"
# What a killed run left under way is worth taking over for so long; later it is stale.
_RECENT = timedelta(hours=12)
# RDS takes letters, digits, blanks and these in tags; keys of 128 and values of 256 characters,
# and none that starts with a prefix of its own.
_NOT_IN_TAGS = re.compile(r"[^\w\s.:/=+@-]")
_RESERVED = re.compile(r"^(aws|rds):", re.IGNORECASE)

DbSnapshot = Mapping[str, Any]


class DbSnapshots:
    """The DB snapshots of one instance.

    Args:
        rds: how to ask RDS.
        instance: the instance's identifier.
        lake_url: the store that they are made for; another store's are not ours.
        poll_seconds: pause between two looks at RDS's progress.
    """

    def __init__(self, rds: PatientRds, instance: str, lake_url: str, poll_seconds: float) -> None:
        self._rds = rds
        self._instance = instance
        self._lake_url = lake_url
        self._poll_seconds = poll_seconds

    def named(self, name: str) -> DbSnapshot:
        """The DB snapshot called `name`, of any maker; RdsError where there is none."""
        kind = _KINDS.get(name.partition(":")[0]) if ":" in name else None
        types = {"SnapshotType": kind} if kind else {}
        found = self._rds.call("describe_db_snapshots", DBSnapshotIdentifier=name, **types)
        return dict(found["DBSnapshots"][0])

    def own(self) -> list[DbSnapshot]:
        """Those that a run of ours made for this lake, the newest first."""
        mark = _tag(_LAKE_TAG, self._lake_url)
        found = [
            snapshot
            for snapshot in self._rds.pages(
                "describe_db_snapshots",
                "DBSnapshots",
                DBInstanceIdentifier=self._instance,
                SnapshotType="manual",
            )
            if mark in snapshot.get("TagList", ())
        ]
        return sorted(found, key=lambda s: str(s["DBSnapshotIdentifier"]), reverse=True)

    def own_to_take_over(self, used_arns: set[str]) -> DbSnapshot | None:
        """The newest of ours that a killed run made and that was not exported yet."""
        for snapshot in self.own():
            name = str(snapshot["DBSnapshotIdentifier"])
            if (
                status_of(snapshot) in {"CREATING", "AVAILABLE"}
                and snapshot["DBSnapshotArn"] not in used_arns
                and is_recent(name.removeprefix(_PREFIX))
            ):
                logger.info("taking over DB snapshot %s", name)
                return snapshot
        return None

    def create(self, tags: Mapping[str, str]) -> DbSnapshot:
        """Begin to make a DB snapshot of the instance, with our mark and `tags`."""
        name = _PREFIX + new_snapshot_id()
        logger.info("making DB snapshot %s of %s", name, self._instance)
        try:
            answer = self._rds.call(
                "create_db_snapshot",
                DBInstanceIdentifier=self._instance,
                DBSnapshotIdentifier=name,
                Tags=[_tag(*tag) for tag in ({**tags, _LAKE_TAG: self._lake_url}).items()],
            )
        except RdsError as error:
            if error.code != "DBSnapshotAlreadyExists":
                raise
            return self.named(name)  # the first try's answer was lost, and the second met it
        return dict(answer["DBSnapshot"])

    def wait_until_available(self, name: str) -> None:
        """Wait for the DB snapshot; RdsError where it fails."""
        seen = self._rds.follow(
            f"DB snapshot {name}", lambda: self.named(name), {"CREATING"}, self._poll_seconds
        )
        if status_of(seen) != "AVAILABLE":
            raise RdsError(
                f"DB snapshot {name} is {seen['Status']} instead of available: see the events of "
                f"instance {self._instance} in the RDS console"
            )

    def delete_old(self, keep: int) -> None:
        """Delete ours but the newest `keep`; a refusal is logged, for the export is done."""
        available = [snapshot for snapshot in self.own() if status_of(snapshot) == "AVAILABLE"]
        for snapshot in available[keep:]:
            name = str(snapshot["DBSnapshotIdentifier"])
            try:
                self._rds.call("delete_db_snapshot", DBSnapshotIdentifier=name)
            except RdsError as error:
                logger.warning("DB snapshot %s stays: %s", name, error)
            else:
                logger.info("deleted DB snapshot %s", name)


def is_recent(snapshot_id: str) -> bool:
    """Whether an id of ours was made not long ago."""
    made = own_id_time(snapshot_id)
    return made is not None and datetime.now(UTC) - made < _RECENT


def _tag(key: str, value: str) -> dict[str, str]:
    key, value = (_RESERVED.sub("", _NOT_IN_TAGS.sub("_", text)) for text in (key, value))
    return {"Key": key[:128], "Value": value[:256]}
