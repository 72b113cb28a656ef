"""Exports on a bad day: S3 in trouble, a killed process, a bank written meanwhile."""

import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import ibis
import pytest

from loan_pipeline.bank.embedded.database import EmbeddedBank
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.lake import s3_store
from loan_pipeline.lake.direct import export_direct
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.protocol import StoreDenied, StoreError, StoreKeyMissing
from loan_pipeline.lake.reader import open_snapshot
from loan_pipeline.lake.snapshot import ROOT, latest_snapshot, list_snapshots, manifest_key
from loan_pipeline.quality.snapshots import damaged_files, row_count_problems
from loan_pipeline.sources.open import open_source
from loan_pipeline_tests.helpers.arrow_bank import random_bank
from loan_pipeline_tests.helpers.s3_trouble import TroubledS3

BANK = random_bank(transactions=500)


@pytest.fixture
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between boto3's tries, a hundredth as long."""
    sleep = time.sleep
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: sleep(seconds / 100))


@pytest.mark.usefixtures("_short_pauses")
def test_an_s3_that_throttles_stumbles_and_is_slow_is_outlasted(
    s3_url: str, aws_environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {1: "SlowDown", 4: "InternalError", 6: "slow", 9: "cut"}
    with TroubledS3(aws_environment, lambda _m, _p, count: kinds.get(count % 11)) as trouble:
        monkeypatch.setenv("AWS_ENDPOINT_URL", trouble.url)
        store = open_store(s3_url)
        manifest = export_direct(BANK, store, source=None)
        assert latest_snapshot(store) == manifest
        tables = open_snapshot(store, manifest, ibis.duckdb.connect())
        for table in TABLES:
            read = tables[table.name].order_by(table.primary_key).to_pyarrow()
            assert read.equals(BANK.tables[table.name]), table.name
        assert set(trouble.seen) == {None, *kinds.values()}


@pytest.mark.usefixtures("_short_pauses")
def test_an_s3_that_stays_down_is_told_and_the_previous_snapshot_stays(
    s3_url: str, aws_environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    previous = export_direct(BANK, open_store(s3_url), source=None)
    with TroubledS3(aws_environment, lambda method, _p, _c: "SlowDown" * (method == "PUT")) as s3:
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
        with pytest.raises(StoreError, match=r"s3:PutObject on s3://.* failed \(SlowDown\)"):
            export_direct(BANK, open_store(s3_url), source=None)
        assert latest_snapshot(open_store(s3_url)) == previous
        assert s3.seen["SlowDown"] >= s3_store._CONFIG.retries["total_max_attempts"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("denied", ["part-00000", "manifest.json", "latest.json"])
def test_access_denied_is_told_and_the_previous_snapshot_stays(
    s3_url: str, aws_environment: str, monkeypatch: pytest.MonkeyPatch, denied: str
) -> None:
    previous = export_direct(BANK, open_store(s3_url), source=None)

    def refuse(method: str, path: str, _count: int) -> str | None:
        return "AccessDenied" if method == "PUT" and denied in path else None

    with TroubledS3(aws_environment, refuse) as s3:
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
        store = open_store(s3_url)
        with pytest.raises(StoreDenied, match=rf"s3:PutObject on .*{denied}.* is refused"):
            export_direct(BANK, store, source=None)
        assert latest_snapshot(store) == previous


def test_reading_without_the_right_to_is_told_with_the_table(
    s3_url: str, aws_environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = export_direct(BANK, open_store(s3_url), source=None)

    def refuse(method: str, path: str, _count: int) -> str | None:
        return "AccessDenied" if method in {"GET", "HEAD"} and "financial.card" in path else None

    with TroubledS3(aws_environment, refuse) as s3:
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
        with pytest.raises(StoreError, match=r"table card: reading failed: .*ACCESS_DENIED"):
            open_snapshot(open_store(s3_url), manifest, ibis.duckdb.connect())


@pytest.mark.usefixtures("_short_pauses")
def test_a_pointer_whose_answer_was_lost_counts_as_replaced(
    s3_url: str, aws_environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(method: str, _path: str, count: int) -> str | None:
        return "lost" if method == "PUT" and count == 0 else None

    with TroubledS3(aws_environment, lose) as s3:
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
        store = open_store(s3_url)
        pointer = store.replace_pointer("latest.json", {"id": "new"}, None)
        assert s3.seen["lost"] == 1
        assert s3.seen[None] >= 2  # the retry, refused by its own first try, and a look
        assert store.read_pointer("latest.json") == pointer


def test_a_query_fetches_only_the_columns_that_it_names(
    s3_url: str, aws_environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = export_direct(random_bank(transactions=60_000), open_store(s3_url), source=None)
    [file] = manifest.tables["trans"].files

    with TroubledS3(aws_environment, lambda *_: None) as s3:

        def fetched() -> int:
            return sum(size for path, size in s3.bytes_sent.items() if file.key in path)

        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
        trans = open_snapshot(open_store(s3_url), manifest, ibis.duckdb.connect())["trans"]
        assert fetched() < file.bytes / 10, "opening reads the schema alone"
        assert trans.date.max().to_pyarrow().as_py() == manifest.as_of - timedelta(days=1)
        assert fetched() < file.bytes / 2


_EXPORT = """
import sys, time
from loan_pipeline_tests.helpers.arrow_bank import random_bank
from loan_pipeline.lake import direct
from loan_pipeline.lake.open import open_store

bank = random_bank(transactions=20_000)
direct.ROWS_PER_FILE = 1000
write = type(store := open_store(sys.argv[1])).write

def slow(store, key, data):
    time.sleep(0.01)
    write(store, key, data)

type(store).write = slow
print("ready", flush=True)
direct.export_direct(bank, store, source="killed")
"""


@pytest.mark.slow
def test_a_process_killed_at_any_moment_leaves_the_previous_snapshot(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "lake")
    previous = export_direct(BANK, store, source=None)
    moments = random.Random(time.time_ns())
    broken = 0
    for _ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", _EXPORT, store.url],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        assert process.stdout is not None
        with process.stdout:
            process.stdout.readline()
            time.sleep(moments.uniform(0, 0.2))
            process.kill()
        process.wait()
        complete = [name for name in store.folders(ROOT) if store.exists(manifest_key(name))]
        broken += len(store.folders(ROOT)) > len(complete) + broken
        latest = latest_snapshot(store)
        if complete == [previous.snapshot_id]:
            assert latest == previous
        assert damaged_files(store, latest) == []
        assert open_snapshot(store, latest, ibis.duckdb.connect())
    assert broken, "no kill met an export under way"
    assert latest_snapshot(store) != (done := export_direct(BANK, store, source=None))
    assert latest_snapshot(store) == done


def test_a_bank_filled_anew_during_the_export_is_exported_as_it_was(tmp_path: Path) -> None:
    bank = EmbeddedBank(tmp_path / "bank.duckdb")
    before = bank.fill(open_source("sample:scale=0.01,seed=1"))

    class FillsMeanwhile(FolderStore):
        filled = False

        def write(self, key: str, data: bytes) -> None:
            if not self.filled:
                self.filled = True
                bank.fill(open_source("sample:scale=0.02,seed=2"))
            super().write(key, data)

    store = FillsMeanwhile(tmp_path / "lake")
    manifest = export_direct(bank, store, source=None)
    assert row_count_problems(manifest, before) == []
    assert row_count_problems(manifest, bank.row_counts())


def test_nothing_is_listed_of_a_store_that_nobody_wrote(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "none")
    assert list_snapshots(store) == []
    with pytest.raises(StoreKeyMissing):
        store.read("a")
