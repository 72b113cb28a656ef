"""RDS's part of a snapshot export, played as AWS documents it.

The client is boto3's own, so arguments are validated and errors raised as for the real service;
only the network is replaced. Time passes with each look at a snapshot or task. Exported files are
written with RDS's names and types to wherever the task says.
"""

import io
import json
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq

from loan_pipeline.contracts.tables import TABLES, Column, Table
from loan_pipeline_tests.helpers.arrow_bank import ArrowBank

Write = Callable[[str, bytes], None]
ACCOUNT = "arn:aws:rds:eu-central-1:123456789012"
ROLE = "arn:aws:iam::123456789012:role/export"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"


class RdsStandIn:
    """One instance with its DB snapshots and export tasks.

    Attributes:
        client: a boto3 RDS client that talks to this.
        calls: how often each operation was asked for.
        failure: why export tasks fail; None where they succeed.
        skipped: tables that exports leave out, with a warning.
        refused: error codes that operations answer with instead of working.
        throttled: how many of the next calls are throttled.
        whole: whether a table is one file, which is quicker to test with.
        lost: operations that work once but whose answer gets lost.
    """

    PAGE = 20

    def __init__(self, bank: ArrowBank, write: Write, looks: int = 3) -> None:
        self.bank = bank
        self.write = write
        self.looks = looks
        self.snapshots: dict[str, dict[str, Any]] = {}
        self.tasks: dict[str, dict[str, Any]] = {}
        self.calls: Counter[str] = Counter()
        self.failure: str | None = None
        self.skipped: set[str] = set()
        self.refused: dict[str, str] = {}
        self.throttled = 0
        self.lost: set[str] = set()
        self.whole = True
        self.client = boto3.client(
            "rds",
            region_name="eu-central-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        events = self.client.meta.events
        events.register("provide-client-params.rds", self._note_arguments)
        events.register("before-call.rds", self._answer)

    def _note_arguments(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["arguments"] = params

    def _answer(self, model: Any, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        self.calls[model.name] += 1
        try:
            if self.throttled:
                self.throttled -= 1
                raise _Refused("Throttling", "Rate exceeded")
            if model.name in self.refused:
                raise _Refused(self.refused[model.name], "no")
            answer = getattr(self, model.name)(**context["arguments"])
            if model.name in self.lost:
                self.lost.remove(model.name)
                raise _Refused("InternalFailure", "the answer got lost", 500)
        except _Refused as refused:
            return SimpleNamespace(status_code=refused.status), {
                "Error": {"Code": refused.code, "Message": refused.message},
                "ResponseMetadata": {"HTTPStatusCode": refused.status},
            }
        return SimpleNamespace(status_code=200), answer

    # The operations, by their names in RDS's API.

    def CreateDBSnapshot(self, *, DBInstanceIdentifier, DBSnapshotIdentifier, Tags=()):  # noqa: N802, N803
        _check_identifier(DBSnapshotIdentifier, 255)
        for tag in Tags:
            _check_tag(tag["Key"], 128)
            _check_tag(tag["Value"], 256)
        if DBSnapshotIdentifier in self.snapshots:
            raise _Refused("DBSnapshotAlreadyExists", DBSnapshotIdentifier)
        snapshot = self.add_snapshot(
            DBSnapshotIdentifier, instance=DBInstanceIdentifier, tags=list(Tags), looks=self.looks
        )
        return {"DBSnapshot": _seen(snapshot)}

    def add_snapshot(
        self, name: str, instance: str = "bank", tags: list[Any] | None = None, looks: int = 0
    ) -> dict[str, Any]:
        automated = name.startswith("rds:")
        self.snapshots[name] = {
            "DBSnapshotIdentifier": name,
            "DBSnapshotArn": f"{ACCOUNT}:snapshot:{name}",
            "DBInstanceIdentifier": instance,
            "SnapshotType": "automated" if automated else "manual",
            "Status": "creating" if looks else "available",
            "PercentProgress": 0 if looks else 100,
            "TagList": tags or [],
            "looks": looks,
        }
        return self.snapshots[name]

    def DescribeDBSnapshots(  # noqa: N802
        self,
        *,
        DBSnapshotIdentifier=None,  # noqa: N803
        DBInstanceIdentifier=None,  # noqa: N803
        SnapshotType=None,  # noqa: N803
        Marker="0",  # noqa: N803
    ):
        if DBSnapshotIdentifier is None:
            found = [
                snapshot
                for snapshot in self.snapshots.values()
                if snapshot["DBInstanceIdentifier"] == DBInstanceIdentifier
                and SnapshotType in (None, snapshot["SnapshotType"])
            ]
            return self._page("DBSnapshots", found, Marker)
        snapshot = self.snapshots.get(DBSnapshotIdentifier)
        if snapshot is None or snapshot["SnapshotType"] != (SnapshotType or "manual"):
            raise _Refused("DBSnapshotNotFound", f"{DBSnapshotIdentifier} not found", 404)
        if snapshot["Status"] == "creating":
            snapshot["looks"] -= 1
            snapshot["PercentProgress"] = 100 - 100 * snapshot["looks"] // self.looks
            if snapshot["looks"] <= 0:
                snapshot["Status"] = "available"
        return {"DBSnapshots": [_seen(snapshot)]}

    def DeleteDBSnapshot(self, *, DBSnapshotIdentifier):  # noqa: N802, N803
        return {"DBSnapshot": _seen(self.snapshots.pop(DBSnapshotIdentifier))}

    def StartExportTask(  # noqa: N802
        self,
        *,
        ExportTaskIdentifier,  # noqa: N803
        SourceArn,  # noqa: N803
        S3BucketName,  # noqa: N803
        S3Prefix="",  # noqa: N803
        ExportOnly=(),  # noqa: N803
        **given,
    ):
        _check_identifier(ExportTaskIdentifier, 60)
        if ExportTaskIdentifier in self.tasks:
            raise _Refused("ExportTaskAlreadyExists", ExportTaskIdentifier)
        source = [s for s in self.snapshots.values() if s["DBSnapshotArn"] == SourceArn]
        if not source:
            raise _Refused("DBSnapshotNotFound", SourceArn, 404)
        busy = [t for t in self.tasks.values() if t["SourceArn"] == SourceArn and _runs(t)]
        if source[0]["Status"] != "available" or busy:
            raise _Refused("InvalidExportSourceState", "the snapshot is not available")
        self.tasks[ExportTaskIdentifier] = {
            "ExportTaskIdentifier": ExportTaskIdentifier,
            "SourceArn": SourceArn,
            "S3Bucket": S3BucketName,
            "S3Prefix": S3Prefix,
            "ExportOnly": list(ExportOnly),
            "Status": "STARTING",
            "PercentProgress": 0,
            "looks": self.looks,
            **given,
        }
        return _seen(self.tasks[ExportTaskIdentifier])

    def DescribeExportTasks(self, *, ExportTaskIdentifier=None, Filters=(), Marker="0"):  # noqa: N802, N803
        if ExportTaskIdentifier is None:
            [bucket] = [f["Values"] for f in Filters if f["Name"] == "s3-bucket"] or [None]
            found = [t for t in self.tasks.values() if bucket is None or t["S3Bucket"] in bucket]
            return self._page("ExportTasks", found, Marker)
        task = self.tasks.get(ExportTaskIdentifier)
        if task is None:
            raise _Refused("ExportTaskNotFound", ExportTaskIdentifier, 404)
        if _runs(task):
            self._proceed(task)
        elif task["Status"] == "CANCELING":
            task["Status"] = "CANCELED"
        return {"ExportTasks": [_seen(task)]}

    def CancelExportTask(self, *, ExportTaskIdentifier):  # noqa: N802, N803
        task = self.tasks[ExportTaskIdentifier]
        if not _runs(task):
            raise _Refused("InvalidExportTaskStateFault", "the task has ended")
        task["Status"] = "CANCELING"
        return _seen(task)

    def _page(self, key: str, found: list[dict[str, Any]], marker: str) -> dict[str, Any]:
        first = int(marker)
        page = {key: [_seen(entry) for entry in found[first : first + self.PAGE]]}
        return page | ({"Marker": str(first + self.PAGE)} if first + self.PAGE < len(found) else {})

    def _proceed(self, task: dict[str, Any]) -> None:
        task["looks"] -= 1
        task["Status"] = "IN_PROGRESS"
        task["PercentProgress"] = 100 - 100 * max(task["looks"], 0) // self.looks
        if task["looks"] > 0:
            return
        if self.failure:
            task |= {"Status": "FAILED", "FailureCause": self.failure}
            return
        folder = f"{task['S3Prefix']}/{task['ExportTaskIdentifier']}".strip("/")
        write_export(self.bank, lambda key, data: self.write(f"{folder}/{key}", data),
                     task["ExportTaskIdentifier"], task["SourceArn"], self.skipped,
                     whole=self.whole)  # fmt: skip
        task["Status"] = "COMPLETE"
        if self.skipped:
            task["WarningMessage"] = f"Tables were skipped: {', '.join(sorted(self.skipped))}"


class _Refused(Exception):
    def __init__(self, code: str, message: str, status: int = 400) -> None:
        self.code, self.message, self.status = code, message, status


def _runs(task: dict[str, Any]) -> bool:
    return task["Status"] in {"STARTING", "IN_PROGRESS"}


def _seen(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "looks"}


def _check_identifier(name: str, longest: int) -> None:
    good = re.fullmatch(r"[A-Za-z](?:-?[A-Za-z0-9])*", name) and len(name) <= longest
    if not good:
        raise _Refused("InvalidParameterValue", f"{name} is no valid identifier")


def _check_tag(text: str, longest: int) -> None:
    good = re.fullmatch(r"[\w\s.:/=+@-]*", text) and len(text) <= longest
    if not good or text.lower().startswith(("aws:", "rds:")):
        raise _Refused("InvalidParameterValue", f"{text!r} is no valid tag")


def write_export(
    bank: ArrowBank,
    write: Write,
    export_id: str,
    source_arn: str = f"{ACCOUNT}:snapshot:nightly",
    skipped: set[str] | frozenset[str] = frozenset(),
    database: str = "financial",
    whole: bool = False,
) -> None:
    """Write the files of one export, one per table where `whole`; the record of it comes last."""
    statuses = []
    for table in TABLES:
        if table.name in skipped:
            continue
        folder = f"{database}/{database}.{table.name}"
        rows = exported(table, bank.tables[table.name])
        for batch, index, part in _parts(rows, whole):
            name = f"part-{index:05}-{uuid.uuid4()}-c000.gz.parquet"
            write(f"{folder}/{batch}/{name}", _parquet(part))
        if not whole:
            write(f"{folder}/1/_SUCCESS", b"")
        statuses.append({"target": f"{database}.{table.name}", "status": "COMPLETE"})
    tables_info = f"export_tables_info_{export_id}_from_1_to_{len(statuses)}.json"
    write(tables_info, json.dumps({"perTableStatus": statuses}).encode())
    record = {
        "exportTaskIdentifier": export_id,
        "sourceArn": source_arn,
        "snapshotTime": datetime.now(UTC).isoformat(),
        "status": "COMPLETE",
        "percentProgress": 100,
    }
    write(f"export_info_{export_id}.json", json.dumps(record).encode())


def _parts(rows: pa.Table, whole: bool) -> Iterator[tuple[int, int, pa.Table]]:
    """Batch index, partition index (with gaps) and rows; none for a table without rows."""
    if whole and rows.num_rows:
        yield 1, 0, rows
    elif rows.num_rows:
        size = -(-rows.num_rows // 4)
        for number, (batch, index) in enumerate(((1, 0), (1, 3), (2, 0), (2, 1))):
            yield batch, index, rows.slice(number * size, size)


def exported(table: Table, rows: pa.Table) -> pa.Table:
    """The rows in the types that RDS exports MariaDB's columns in."""
    return pa.table({c.name: rows[c.name].cast(exported_type(c)) for c in table.columns})


def exported_type(column: Column) -> pa.DataType:
    """INT as int32, DATE as string, CHAR as bytes without annotation, VARCHAR as string."""
    if column.kind == "decimal":
        return pa.decimal128(column.precision, column.scale)
    if column.kind == "text":
        return pa.binary() if column.length <= 2 else pa.string()
    return {"integer": pa.int32(), "date": pa.string()}[column.kind]


def _parquet(rows: pa.Table) -> bytes:
    output = io.BytesIO()
    # Decimals of up to 18 digits are integers in the files; Arrow's own schema is not in them.
    pq.write_table(
        rows, output, compression="gzip", store_decimal_as_integer=True, store_schema=False
    )
    return output.getvalue()
