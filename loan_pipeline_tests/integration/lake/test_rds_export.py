"""The RDS export against a stand-in of RDS and a real S3 server."""

import logging
import signal
import subprocess
import sys
from pathlib import Path

import ibis
import pytest
from dagster import DagsterExecutionInterruptedError

from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.defs.resources import RdsResource
from loan_pipeline.lake.direct import export_direct
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.protocol import StoreError
from loan_pipeline.lake.rds.client import RdsError
from loan_pipeline.lake.rds.export import RdsExport, export_rds
from loan_pipeline.lake.reader import open_snapshot
from loan_pipeline.lake.s3_store import S3Store
from loan_pipeline.lake.snapshot import SnapshotError, latest_snapshot
from loan_pipeline.settings import Settings
from loan_pipeline_tests.helpers.arrow_bank import random_bank
from loan_pipeline_tests.helpers.rds_stand_in import KEY, ROLE, RdsStandIn, write_export

BANK = random_bank()
REQUEST = RdsExport(instance="bank", role_arn=ROLE, kms_key=KEY)


class Pauses:
    """Counts pauses instead of waiting, and may end the run in one of them."""

    def __init__(self, until: int | None = None, end: BaseException | None = None) -> None:
        self.until, self.end = until, end
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if len(self.seconds) == self.until and self.end:
            raise self.end


@pytest.fixture
def store(s3_url: str) -> S3Store:
    opened = open_store(s3_url)
    assert isinstance(opened, S3Store)
    return opened


@pytest.fixture
def rds(store: S3Store) -> RdsStandIn:
    def write(key: str, data: bytes) -> None:
        store.client.put_object(Bucket=store.bucket, Key=key, Body=data)

    return RdsStandIn(BANK, write)


def run(rds: RdsStandIn, store: S3Store, pauses: Pauses | None = None, **changes: object):
    request = RdsExport(**{**vars(REQUEST), **changes})
    return export_rds(rds.client, store, request, tags={"run": "4711"}, pause=pauses or Pauses())


def test_the_export_becomes_the_latest_snapshot_with_the_banks_rows(
    rds: RdsStandIn, store: S3Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="loan_pipeline")
    rds.whole = False
    pauses = Pauses()
    manifest = run(rds, store, pauses)
    assert [len(table.files) for table in manifest.tables.values()] == [4] * 8
    assert latest_snapshot(store) == manifest
    assert (manifest.exporter, manifest.bank) == ("rds", "RDS instance bank")
    assert pauses.seconds == [15.0] * 4  # two looks to wait for at the DB snapshot and the export
    tables = open_snapshot(store, manifest, ibis.duckdb.connect())
    for table in TABLES:
        read = tables[table.name].order_by(table.primary_key).to_pyarrow()
        assert read.equals(BANK.tables[table.name]), table.name
        assert manifest.tables[table.name].rows == BANK.tables[table.name].num_rows
    direct = export_direct(BANK, store, source=None)
    assert direct.as_of == manifest.as_of
    [task] = rds.tasks.values()
    assert task["ExportOnly"] == [f"financial.{table.name}" for table in TABLES]
    assert (task["IamRoleArn"], task["KmsKeyId"]) == (ROLE, KEY)
    assert f"RDS exports {manifest.snapshot_id}" in caplog.text


def test_our_db_snapshot_carries_the_lake_and_the_run_as_tags(
    rds: RdsStandIn, store: S3Store
) -> None:
    request = RdsExport(**{**vars(REQUEST), "keep_db_snapshots": 1})
    tags = {"aws:run": "a|b" * 200, "who": "Žofie & co"}
    export_rds(rds.client, store, request, tags=tags, pause=Pauses())
    [snapshot] = rds.snapshots.values()
    noted = {tag["Key"]: tag["Value"] for tag in snapshot["TagList"]}
    assert noted["loan-pipeline:lake"] == store.url
    assert noted["run"] == ("a_b" * 200)[:256]
    assert noted["who"] == "Žofie _ co"


@pytest.mark.parametrize("pause", [1, 3])
def test_a_killed_run_is_taken_over_without_paying_twice(
    rds: RdsStandIn, store: S3Store, pause: int
) -> None:
    # RDS sees a killed run as one that asks no more: an error that nobody expects does the same.
    with pytest.raises(MemoryError):
        run(rds, store, Pauses(pause, MemoryError()))
    assert rds.calls["CancelExportTask"] == 0
    manifest = run(rds, store)
    assert latest_snapshot(store) == manifest
    assert (rds.calls["CreateDBSnapshot"], rds.calls["StartExportTask"]) == (1, 1)


def test_an_export_that_was_complete_before_the_kill_is_only_published(
    rds: RdsStandIn, store: S3Store
) -> None:
    with pytest.raises(MemoryError):
        run(rds, store, Pauses(3, MemoryError()))
    [name] = rds.tasks
    while rds.tasks[name]["Status"] != "COMPLETE":
        rds.client.describe_export_tasks(ExportTaskIdentifier=name)
    assert run(rds, store).snapshot_id == name
    assert rds.calls["StartExportTask"] == 1
    # What is published already is not taken over: the next run makes a snapshot of its own.
    assert run(rds, store).snapshot_id != name
    assert (rds.calls["CreateDBSnapshot"], rds.calls["StartExportTask"]) == (2, 2)


@pytest.mark.parametrize("end", [KeyboardInterrupt(), DagsterExecutionInterruptedError()])
def test_cancelling_the_run_cancels_the_export(
    rds: RdsStandIn, store: S3Store, end: BaseException
) -> None:
    with pytest.raises(type(end)):
        run(rds, store, Pauses(3, end))
    [task] = rds.tasks.values()
    assert task["Status"] == "CANCELING"
    run(rds, store)  # and the next run begins anew
    assert (rds.calls["CreateDBSnapshot"], rds.calls["StartExportTask"]) == (2, 2)


_RUN = """
import time
import dagster as dg
from loan_pipeline_tests.helpers.arrow_bank import random_bank
from loan_pipeline.lake.rds.export import RdsExport, export_rds
from loan_pipeline.lake.s3_store import S3Store
from loan_pipeline_tests.helpers.rds_stand_in import KEY, ROLE, RdsStandIn

rds = RdsStandIn(random_bank(transactions=1), print, looks=1_000_000)
rds.add_snapshot("given")

def pause(seconds):
    print("waiting", flush=True)
    time.sleep(0.05)

@dg.asset
def snapshot():
    request = RdsExport("bank", ROLE, KEY, db_snapshot="given")
    export_rds(rds.client, S3Store("bucket", "lake"), request, pause=pause)

try:
    dg.materialize([snapshot], raise_on_error=False)
finally:
    print("ended", [task["Status"] for task in rds.tasks.values()], flush=True)
"""


@pytest.mark.slow
def test_a_run_that_dagster_interrupts_cancels_the_export() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert "ended ['CANCELING']" in out, errors


def test_a_failed_export_tells_why_and_leaves_the_previous_snapshot(
    rds: RdsStandIn, store: S3Store
) -> None:
    previous = run(rds, store)
    rds.failure = "The IAM role lost access to the bucket"
    with pytest.raises(RdsError, match=r"ended as FAILED: The IAM role lost access"):
        run(rds, store)
    assert latest_snapshot(store) == previous


def test_a_task_that_somebody_cancelled_is_told(rds: RdsStandIn, store: S3Store) -> None:
    class SomebodyCancels(Pauses):
        def __call__(self, seconds: float) -> None:
            super().__call__(seconds)
            for name in rds.tasks:
                rds.client.cancel_export_task(ExportTaskIdentifier=name)

    with pytest.raises(RdsError, match=r"ended as CANCELED"):
        run(rds, store, SomebodyCancels())


def test_a_skipped_table_is_named_and_the_export_never_taken_over(
    rds: RdsStandIn, store: S3Store, caplog: pytest.LogCaptureFixture
) -> None:
    rds.skipped = {"order"}
    with pytest.raises(SnapshotError, match=r"RDS skipped table financial\.order"):
        run(rds, store)
    assert "Tables were skipped: order" in caplog.text
    with pytest.raises(SnapshotError, match="no snapshot yet"):
        latest_snapshot(store)
    rds.skipped = set()
    assert run(rds, store) == latest_snapshot(store)
    assert rds.calls["StartExportTask"] == 2


def test_throttling_is_waited_out(rds: RdsStandIn, store: S3Store) -> None:
    pauses = Pauses()
    rds.throttled = 5
    run(rds, store, pauses)
    assert pauses.seconds[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_endless_throttling_is_told(rds: RdsStandIn, store: S3Store) -> None:
    rds.throttled = 10_000
    with pytest.raises(RdsError, match=r"describe_db_snapshots failed: .*Throttling") as caught:
        run(rds, store)
    assert caught.value.code == "Throttling"


def test_a_lost_answer_makes_nothing_twice(rds: RdsStandIn, store: S3Store) -> None:
    rds.lost = {"CreateDBSnapshot", "StartExportTask", "DescribeExportTasks"}
    run(rds, store)
    assert (len(rds.snapshots), len(rds.tasks)) == (1, 1)


@pytest.mark.parametrize(
    ("operation", "code", "hint"),
    [
        ("DescribeDBSnapshots", "AccessDenied", "allow the action in the policy"),
        ("CreateDBSnapshot", "DBInstanceNotFound", "set LOAN_RDS_INSTANCE"),
        ("CreateDBSnapshot", "SnapshotQuotaExceeded", "delete manual snapshots"),
        ("StartExportTask", "KMSKeyNotAccessibleFault", "allow kms:CreateGrant"),
        ("StartExportTask", "IamRoleMissingPermissions", "let export.rds.amazonaws.com assume it"),
        ("StartExportTask", "InvalidS3BucketFault", "in the instance's own region"),
    ],
)
def test_a_refusal_says_what_to_do(
    rds: RdsStandIn, store: S3Store, operation: str, code: str, hint: str
) -> None:
    rds.refused = {operation: code}
    with pytest.raises(RdsError, match=hint) as caught:
        run(rds, store)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["before-migration", "rds:bank-2026-11-22-03-10"])
def test_a_given_db_snapshot_is_exported_and_kept(
    rds: RdsStandIn, store: S3Store, name: str
) -> None:
    rds.add_snapshot(name)
    run(rds, store, db_snapshot=name, keep_db_snapshots=0)
    assert list(rds.snapshots) == [name]
    [task] = rds.tasks.values()
    assert task["SourceArn"].endswith(f"snapshot:{name}")


def test_our_old_db_snapshots_go_and_others_stay(rds: RdsStandIn, store: S3Store) -> None:
    others = [f"by-hand-{number}" for number in range(25)]  # more than a page of them
    for name in others:
        rds.add_snapshot(name)
    rds.add_snapshot("loan-elsewhere", tags=[{"Key": "loan-pipeline:lake", "Value": "s3://x/y"}])
    for _ in range(3):
        run(rds, store, keep_db_snapshots=2)
    own = [name for name in rds.snapshots if name.startswith("loan-snapshot-")]
    assert set(rds.snapshots) == {*others, "loan-elsewhere", *own}
    assert len(own) == 2
    rds.refused = {"DeleteDBSnapshot": "AccessDenied"}
    run(rds, store, keep_db_snapshots=0)  # the export is done, so a refusal fails nothing


def test_the_request_comes_from_the_settings() -> None:
    settings = Settings(
        rds_instance="bank",
        export_role_arn=ROLE,
        export_kms_key=KEY,
        database_url="mysql+pymysql://u:p@host:3306/books",
        keep_db_snapshots=3,
    )
    request = RdsExport.from_settings(settings, db_snapshot="before")
    assert request == RdsExport("bank", ROLE, KEY, "books", "before", 3)
    assert RdsExport.from_settings(settings.model_copy(update={"database_url": None})).database == (
        "financial"
    )
    with pytest.raises(RdsError, match="needs LOAN_EXPORT_ROLE_ARN, LOAN_EXPORT_KMS_KEY as well"):
        RdsExport.from_settings(Settings(rds_instance="bank"))


def test_a_database_whose_name_rds_cannot_name_is_exported_whole(
    rds: RdsStandIn, store: S3Store
) -> None:
    run(rds, store, database="the-bank")
    [task] = rds.tasks.values()
    assert task["ExportOnly"] == []


def test_the_record_may_arrive_after_the_task_is_complete(rds: RdsStandIn, store: S3Store) -> None:
    late: list[tuple[str, bytes]] = []
    write = rds.write
    rds.write = lambda key, data: (
        late.append((key, data)) if "export_info" in key else write(key, data)
    )

    class Arrives(Pauses):
        def __call__(self, seconds: float) -> None:
            super().__call__(seconds)
            if len(self.seconds) == 6 and late:
                write(*late.pop())

    run(rds, store, Arrives())
    assert not late


def test_the_calls_go_over_the_wire_through_dagsters_resource(store: S3Store) -> None:
    """moto's RDS takes every call, completes at once, and writes nothing: that is left to us."""

    def put(key: str, data: bytes) -> None:
        store.client.put_object(Bucket=store.bucket, Key=key, Body=data)

    class WritesFiles(Pauses):
        def __call__(self, seconds: float) -> None:
            super().__call__(seconds)
            [task] = client.describe_export_tasks()["ExportTasks"]
            name, prefix = task["ExportTaskIdentifier"], task["S3Prefix"]
            write_export(BANK, lambda key, data: put(f"{prefix}/{name}/{key}", data), name)

    with RdsResource().client() as client:
        client.create_db_instance(
            DBInstanceIdentifier="bank",
            DBInstanceClass="db.t3.micro",
            Engine="mariadb",
            EngineVersion="10.11.8",
            AllocatedStorage=20,
            MasterUsername="admin",
            MasterUserPassword="admin-password",
        )
        manifest = export_rds(client, store, REQUEST, tags={"run": "4711"}, pause=WritesFiles())
        assert latest_snapshot(store) == manifest
        [snapshot] = client.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
        assert {"Key": "run", "Value": "4711"} in snapshot["TagList"]


def test_rds_exports_to_s3_alone(tmp_path, rds: RdsStandIn, s3_url: str) -> None:
    with pytest.raises(StoreError, match="set LOAN_LAKE_URL to s3://"):
        run(rds, open_store(tmp_path.as_uri()))
    with pytest.raises(StoreError, match="choose a prefix without :"):
        run(rds, open_store(f"{s3_url}/a:b"))
    assert not rds.calls
