"""A snapshot from a bank to lazy tables, through a folder and through an S3 server."""

import hashlib
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ibis
import pyarrow as pa
import pytest

from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.tables import TABLES, TRANS
from loan_pipeline.lake import direct
from loan_pipeline.lake.direct import export_direct
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.protocol import Store, StoreError
from loan_pipeline.lake.reader import open_snapshot
from loan_pipeline.lake.snapshot import (
    LATEST_KEY,
    SnapshotError,
    delete_old_snapshots,
    folder_of,
    latest_snapshot,
    list_snapshots,
    load_snapshot,
    manifest_key,
    new_snapshot_id,
    publish,
)
from loan_pipeline_tests.helpers.arrow_bank import ArrowBank, random_bank


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store((tmp_path / "it's a lake").as_uri())
    return open_store(request.getfixturevalue("s3_url"))


@pytest.fixture
def folder(tmp_path: Path) -> Store:
    return open_store(tmp_path.as_uri())


def contents(store: Store, manifest: SnapshotManifest) -> dict[str, pa.Table]:
    tables = open_snapshot(store, manifest, ibis.duckdb.connect())
    return {
        table.name: tables[table.name].order_by(table.primary_key).to_pyarrow() for table in TABLES
    }


def test_what_the_bank_held_is_read_back_exactly(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "ROWS_PER_FILE", 1000)
    bank = random_bank(transactions=3500)
    manifest = export_direct(bank, store, source="random rows")
    assert len(manifest.tables["trans"].files) == 4
    read = contents(store, manifest)
    for table in TABLES:
        assert read[table.name].equals(bank.tables[table.name]), table.name
        assert manifest.tables[table.name].rows == bank.tables[table.name].num_rows


def test_the_layout_is_that_of_an_rds_export_and_the_manifest_tells_all(store: Store) -> None:
    manifest = export_direct(random_bank(), store, source="random rows")
    assert latest_snapshot(store) == manifest == load_snapshot(store, manifest.snapshot_id)
    listed = store.sizes(folder_of(manifest.snapshot_id))
    assert listed.pop(manifest_key(manifest.snapshot_id)) > 0
    for name, table in manifest.tables.items():
        for file in table.files:
            key = f"{folder_of(manifest.snapshot_id)}/{file.key}"
            assert file.key.startswith(f"financial/financial.{name}/1/part-00000-")
            assert file.key.endswith("-c000.gz.parquet")
            assert listed.pop(key) == file.bytes
            assert hashlib.sha256(store.read(key)).hexdigest() == file.sha256
    assert listed == {}
    assert (manifest.exporter, manifest.source) == ("direct", "random rows")


def test_the_snapshot_is_as_of_the_day_after_the_newest_transaction(folder: Store) -> None:
    bank = random_bank()
    newest = max(bank.tables["trans"]["date"].to_pylist())
    assert export_direct(bank, folder, source=None).as_of == newest + timedelta(days=1)


def test_an_empty_table_is_a_table_without_rows(folder: Store) -> None:
    bank = random_bank()
    bank.tables["card"] = bank.tables["card"].slice(0, 0)
    manifest = export_direct(bank, folder, source=None)
    assert manifest.tables["card"].rows == 0
    assert contents(folder, manifest)["card"].equals(bank.tables["card"])


def test_a_bank_without_transactions_makes_no_snapshot(folder: Store) -> None:
    bank = random_bank()
    bank.tables["trans"] = bank.tables["trans"].slice(0, 0)
    with pytest.raises(SnapshotError, match="table trans of bank of random rows is empty"):
        export_direct(bank, folder, source=None)
    assert folder.list() == []


class BreakingBank(ArrowBank):
    """Loses its connection in the middle of the transactions, or some rows on the way."""

    def __init__(self, bank: ArrowBank, error: Exception | None) -> None:
        super().__init__(bank.tables)
        self.error = error

    def batches(self, table):
        rows = super().batches(table)
        if table is not TRANS:
            return rows

        def broken():
            yield next(rows)
            if self.error:
                raise self.error

        return pa.RecordBatchReader.from_batches(rows.schema, broken())


@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        (ConnectionError("bank went away"), ConnectionError, "bank went away"),
        (None, SnapshotError, "table trans: bank of random rows holds 3,000 rows but gave 1,000"),
    ],
)
def test_a_broken_export_leaves_the_previous_snapshot_alone(
    store: Store, error: Exception | None, expected: type[Exception], message: str
) -> None:
    bank = random_bank()
    previous = export_direct(bank, store, source=None)
    keys = store.list()
    with pytest.raises(expected, match=message):
        export_direct(BreakingBank(bank, error), store, source=None)
    assert latest_snapshot(store) == previous
    assert store.list() == keys


def test_memory_does_not_grow_with_the_table_when_the_store_is_slow(
    folder: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = random_bank(transactions=10_000).tables["trans"]
    every_row = pa.array(range(10_000))

    class Endless(ArrowBank):
        def batches(self, table):
            if table is not TRANS:
                return super().batches(table)
            fresh = (batch for _ in range(40) for batch in rows.take(every_row).to_batches())
            return pa.RecordBatchReader.from_batches(rows.schema, fresh)

        def row_count(self, table):
            return super().row_count(table) * (40 if table is TRANS else 1)

    held: list[int] = []
    write = type(folder).write

    def slow(store, key, data):
        held.append(pa.total_allocated_bytes())
        time.sleep(0.02)
        write(store, key, data)

    monkeypatch.setattr(direct, "ROWS_PER_FILE", 10_000)
    monkeypatch.setattr(type(folder), "write", slow)
    before = pa.total_allocated_bytes()
    manifest = export_direct(Endless(random_bank().tables | {"trans": rows}), folder, source=None)
    assert manifest.tables["trans"].rows == 400_000
    assert max(held) - before < 10 * rows.nbytes


def test_a_missing_file_and_a_cut_file_are_found_on_opening(store: Store) -> None:
    manifest = export_direct(random_bank(), store, source=None)
    key = f"{folder_of(manifest.snapshot_id)}/{manifest.tables['loan'].files[0].key}"
    store.write(key, store.read(key)[:-1])
    with pytest.raises(SnapshotError, match=r"financial\.loan/1/part-00000.* bytes instead of"):
        open_snapshot(store, manifest, ibis.duckdb.connect())
    store.delete(key)
    with pytest.raises(SnapshotError, match=r"financial\.loan/1/part-00000.* is missing"):
        open_snapshot(store, manifest, ibis.duckdb.connect())
    store.write(key, b"x" * manifest.tables["loan"].files[0].bytes)
    with pytest.raises(SnapshotError, match=r"table loan: the files do not read as Parquet"):
        open_snapshot(store, manifest, ibis.duckdb.connect())


def test_two_snapshots_are_open_side_by_side(folder: Store) -> None:
    connection = ibis.duckdb.connect()
    tables = [
        open_snapshot(folder, export_direct(random_bank(size), folder, source=None), connection)
        for size in (10, 20)
    ]
    assert [int(opened["trans"].count().execute()) for opened in tables] == [10, 20]


def test_without_any_snapshot_the_message_tells_what_to_run(store: Store) -> None:
    with pytest.raises(SnapshotError, match=r"holds no snapshot yet: .*loan-pipeline run"):
        latest_snapshot(store)
    with pytest.raises(SnapshotError, match="no complete snapshot snapshot-x"):
        load_snapshot(store, "snapshot-x")
    assert list_snapshots(store) == []


def test_a_manifest_that_does_not_parse_is_named(folder: Store) -> None:
    folder.write(manifest_key("mine"), json.dumps({"snapshot_id": "mine"}).encode())
    with pytest.raises(SnapshotError, match=r"mine/manifest\.json is no snapshot manifest"):
        load_snapshot(folder, "mine")


def published(store: Store, made: datetime, snapshot_id: str | None = None) -> str:
    """A snapshot without tables, for tests of what comes and goes."""
    snapshot_id = snapshot_id or new_snapshot_id(made)
    store.write(f"{folder_of(snapshot_id)}/financial/part.gz.parquet", b"rows")
    publish(
        store,
        SnapshotManifest(
            snapshot_id=snapshot_id,
            created_at=made,
            exporter="direct",
            bank="bank",
            as_of=made.date(),
            tables={},
        ),
    )
    return snapshot_id


def test_latest_never_goes_back_to_an_export_that_began_earlier(store: Store) -> None:
    now = datetime.now(UTC)
    newer = published(store, now)
    older = published(store, now - timedelta(minutes=1))
    assert latest_snapshot(store).snapshot_id == newer
    assert [manifest.snapshot_id for manifest in list_snapshots(store)] == [newer, older]


def test_old_snapshots_go_and_what_others_exported_stays(store: Store) -> None:
    now = datetime.now(UTC)
    own = [published(store, now - timedelta(days=days)) for days in range(5)]
    foreign = published(store, now - timedelta(days=400), "nightly-1999")
    left_behind = new_snapshot_id(now - timedelta(days=8))
    under_way = new_snapshot_id(now - timedelta(hours=1))
    for snapshot_id in (left_behind, under_way):
        store.write(f"{folder_of(snapshot_id)}/financial/part.gz.parquet", b"rows")
    assert set(delete_old_snapshots(store, keep=2)) == {*own[2:], left_behind}
    assert set(store.folders("snapshots")) == {own[0], own[1], foreign, under_way}
    assert delete_old_snapshots(store, keep=2) == []


def test_the_latest_snapshot_stays_however_few_are_kept(store: Store) -> None:
    now = datetime.now(UTC)
    old = published(store, now - timedelta(days=9))
    token = store.read_pointer(LATEST_KEY)
    published(store, now)
    current = store.read_pointer(LATEST_KEY)
    assert token is not None
    assert current is not None
    store.replace_pointer(LATEST_KEY, token.value, current.token)  # somebody rolled back by hand
    assert delete_old_snapshots(store, keep=1) == []
    assert latest_snapshot(store).snapshot_id == old


def test_a_full_disk_leaves_the_previous_snapshot_alone(
    folder: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    previous = export_direct(random_bank(), folder, source=None)

    def full(*_: object) -> None:
        raise StoreError("no space left")

    monkeypatch.setattr(type(folder), "write", full)
    with pytest.raises(StoreError, match="no space left"):
        export_direct(random_bank(), folder, source=None)
    assert latest_snapshot(folder) == previous
