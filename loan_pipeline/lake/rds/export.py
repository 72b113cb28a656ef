"""The RDS export: RDS writes a DB snapshot of the bank to S3, and we follow, adopt and publish it.

What the exported files must hold is verified in `rds_files`; patience with RDS is `rds_client`'s.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.lake.protocol import Store, StoreError
from loan_pipeline.lake.rds.client import PatientRds, RdsError, status_of
from loan_pipeline.lake.rds.db_snapshots import DbSnapshots, is_recent
from loan_pipeline.lake.rds.files import adopt_export, is_complete, is_settled
from loan_pipeline.lake.s3_store import S3Store
from loan_pipeline.lake.snapshot import DATABASE, ROOT, new_snapshot_id, own_id_time
from loan_pipeline.settings import Settings

logger = logging.getLogger("loan_pipeline.lake")

_LOOKS_FOR_RECORD = 10
_UNDER_WAY = {"STARTING", "IN_PROGRESS"}
# RDS refuses prefixes with a colon, and turns the others into underscores.
_NOT_IN_PREFIX = set(':\\`" ')


@dataclass(frozen=True)
class RdsExport:
    """What to export, and with which rights.

    Attributes:
        instance: the DB instance's identifier.
        role_arn: the role that RDS takes on to write to the bucket.
        kms_key: the key that RDS encrypts the files with; RDS insists on one.
        database: the bank's database on the instance.
        db_snapshot: a DB snapshot to export instead of a new one; it is never deleted.
        keep_db_snapshots: how many of our own DB snapshots stay after the export.
        poll_seconds: pause between two looks at RDS's progress.
    """

    instance: str
    role_arn: str
    kms_key: str
    database: str = DATABASE
    db_snapshot: str | None = None
    keep_db_snapshots: int = 1
    poll_seconds: float = 15.0

    @classmethod
    def from_settings(cls, settings: Settings, *, db_snapshot: str | None = None) -> "RdsExport":
        """What the settings ask for; RdsError where one that an export needs is missing."""
        needed = {
            "LOAN_RDS_INSTANCE": settings.rds_instance,
            "LOAN_EXPORT_ROLE_ARN": settings.export_role_arn,
            "LOAN_EXPORT_KMS_KEY": settings.export_kms_key,
        }
        missing = [name for name, value in needed.items() if not value]
        if missing:
            raise RdsError(
                f"an RDS export needs {', '.join(missing)} as well: set it, see .env.example"
            )
        url = settings.database_url.get_secret_value() if settings.database_url else ""
        instance, role_arn, kms_key = (str(value) for value in needed.values())
        return cls(
            instance,
            role_arn,
            kms_key,
            database=urlsplit(url).path.strip("/") or DATABASE,
            db_snapshot=db_snapshot,
            keep_db_snapshots=settings.keep_db_snapshots,
        )


def export_rds(
    client: Any,
    store: Store,
    request: RdsExport,
    *,
    tags: Mapping[str, str] | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> SnapshotManifest:
    """Have RDS export the bank into the store, and publish the result as the latest snapshot.

    What a killed run left under way, a DB snapshot or an export, is taken over. When this run is
    cancelled (by any exception that is no `Exception`), its export task is cancelled as well.

    Args:
        client: boto3's RDS client.
        store: where to, on S3; RDS writes below the store's `snapshots/`.
        request: what to export.
        tags: further tags for a DB snapshot made here, such as the run's id.
        pause: waits for some seconds.

    Raises:
        RdsError: RDS refused or failed something.
        SnapshotError: the export is incomplete, or a value does not cast.
        StoreError: the store is not on S3, or failed.
    """
    target = _exportable(store)
    rds = PatientRds(client, pause)
    db_snapshots = DbSnapshots(rds, request.instance, target.url, request.poll_seconds)
    tasks = _ExportTasks(rds, target, request)

    given = db_snapshots.named(request.db_snapshot) if request.db_snapshot else None
    own_arns = {str(snapshot["DBSnapshotArn"]) for snapshot in db_snapshots.own()}
    name = tasks.to_take_over({str(given["DBSnapshotArn"])} if given else own_arns)
    if name is None:
        snapshot = given or db_snapshots.own_to_take_over(tasks.used_arns())
        snapshot = snapshot or db_snapshots.create(tags or {})
        db_snapshots.wait_until_available(str(snapshot["DBSnapshotIdentifier"]))
        name = tasks.start(str(snapshot["DBSnapshotArn"]))
    tasks.wait_for(name)
    manifest = adopt_export(store, name, bank=f"RDS instance {request.instance}")
    db_snapshots.delete_old(request.keep_db_snapshots)
    return manifest


class _ExportTasks:
    """Export tasks that runs of ours start into one store."""

    def __init__(self, rds: PatientRds, store: S3Store, request: RdsExport) -> None:
        self._rds = rds
        self._store = store
        self._request = request
        self._prefix = store.full_key(ROOT)

    def to_take_over(self, source_arns: set[str]) -> str | None:
        """The newest one that still runs, or is complete and waits to be published."""
        for task in self._own():
            name, status = str(task["ExportTaskIdentifier"]), status_of(task)
            if task["SourceArn"] not in source_arns or not is_recent(name):
                continue
            if status in _UNDER_WAY or (status == "COMPLETE" and not is_settled(self._store, name)):
                logger.info("taking over export %s, which is %s", name, status)
                return name
        return None

    def used_arns(self) -> set[str]:
        """The DB snapshots from which an export was started, however it ended."""
        return {str(task["SourceArn"]) for task in self._own()}

    def start(self, source_arn: str) -> str:
        """Start an export; its identifier is the id of the snapshot to be."""
        name = new_snapshot_id()
        only = {}
        if re.fullmatch(r"[A-Za-z0-9$_]+", self._request.database):  # RDS names no others in parts
            only = {"ExportOnly": [f"{self._request.database}.{table.name}" for table in TABLES]}
        logger.info("exporting %s to %s/%s/%s", source_arn, self._store.url, ROOT, name)
        try:
            self._rds.call(
                "start_export_task",
                ExportTaskIdentifier=name,
                SourceArn=source_arn,
                S3BucketName=self._store.bucket,
                S3Prefix=self._prefix,
                IamRoleArn=self._request.role_arn,
                KmsKeyId=self._request.kms_key,
                **only,
            )
        except RdsError as error:
            if error.code != "ExportTaskAlreadyExists":  # the first try's answer was lost
                raise
        return name

    def wait_for(self, name: str) -> None:
        """Follow the export until it is complete; cancel it when the run is cancelled."""
        try:
            task = self._rds.follow(
                f"RDS exports {name}",
                lambda: self._described(name),
                _UNDER_WAY,
                self._request.poll_seconds,
            )
        except Exception:
            raise  # the task may still succeed; the next run takes it over
        except BaseException:
            self._cancel(name)
            raise
        if status_of(task) != "COMPLETE":
            cause = task.get("FailureCause") or "RDS gives no cause"
            raise RdsError(f"RDS export {name} ended as {status_of(task)}: {cause}")
        if task.get("WarningMessage"):
            logger.warning("RDS warns of export %s: %s", name, task["WarningMessage"])
        for _ in range(_LOOKS_FOR_RECORD):  # the record may reach the bucket a little later
            if is_complete(self._store, name):
                break
            self._rds.pause(self._request.poll_seconds)

    def _cancel(self, name: str) -> None:
        try:
            self._rds.call("cancel_export_task", ExportTaskIdentifier=name)
        except RdsError as error:
            logger.warning("export %s could not be cancelled: %s", name, error)
        else:
            logger.info("cancelled export %s", name)

    def _described(self, name: str) -> Mapping[str, Any]:
        found = self._rds.call("describe_export_tasks", ExportTaskIdentifier=name)
        return dict(found["ExportTasks"][0])

    def _own(self) -> list[Mapping[str, Any]]:
        """The newest first."""
        tasks = self._rds.pages(
            "describe_export_tasks",
            "ExportTasks",
            Filters=[{"Name": "s3-bucket", "Values": [self._store.bucket]}],
        )
        own = [
            task
            for task in tasks
            if own_id_time(str(task["ExportTaskIdentifier"]))
            and str(task.get("S3Prefix", "")).strip("/") == self._prefix
        ]
        return sorted(own, key=lambda task: str(task["ExportTaskIdentifier"]), reverse=True)


def _exportable(store: Store) -> S3Store:
    if not isinstance(store, S3Store):
        raise StoreError(f"RDS exports to S3 only: set LOAN_LAKE_URL to s3://…, not {store.url}")
    bad = _NOT_IN_PREFIX & set(store.prefix)
    if bad:
        raise StoreError(
            f"RDS cannot export below {store.url}: choose a prefix without {' '.join(sorted(bad))}"
        )
    return store
