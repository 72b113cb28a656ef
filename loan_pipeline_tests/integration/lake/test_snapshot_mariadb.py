"""The direct export from a MariaDB server that is written while it is read."""

import threading
import time
from pathlib import Path

import ibis
import pymysql
import pytest

from loan_pipeline.bank.embedded.database import EmbeddedBank
from loan_pipeline.bank.open import open_bank
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.lake import direct
from loan_pipeline.lake.direct import export_direct
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.lake.reader import open_snapshot
from loan_pipeline.quality.snapshots import row_count_problems
from loan_pipeline.settings import Settings
from loan_pipeline.sources.open import open_source
from loan_pipeline_tests.helpers.mariadb_server import MariaDBServer

pytestmark = pytest.mark.slow


class Writer(threading.Thread):
    """Opens accounts as a bank does: client, account, owner and payment in one transaction."""

    def __init__(self, server: MariaDBServer) -> None:
        super().__init__()
        self.connection = server.root("financial")
        self.ending = threading.Event()
        self.opened = 0

    def run(self) -> None:
        with self.connection as connection:
            while not self.ending.is_set():
                self.open_account(connection, 1_000_000 + self.opened)
                self.opened += 1

    def open_account(self, connection: pymysql.Connection, key: int) -> None:
        # A new account at the front of the first tables and at the end of the last one, so that a
        # read which is not of one moment meets halves of it.
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO client VALUES (%s, 'F', '1970-01-01', 1)", (key,))
            cursor.execute(
                "INSERT INTO account VALUES (%s, 1, 'POPLATEK TYDNE', '1998-01-01')", (key,)
            )
            cursor.execute("INSERT INTO disp VALUES (%s, %s, %s, 'OWNER')", (key, key, key))
            cursor.execute(
                "INSERT INTO trans VALUES "
                "(%s, %s, '1998-01-01', 'PRIJEM', 'VKLAD', 200, 200, NULL, NULL, NULL)",
                (10_000_000 + key, key),
            )
            cursor.execute("COMMIT")


class WaitsForTheWriter(FolderStore):
    """Takes its time over each file, until the writer has opened some more accounts."""

    writer: Writer

    def write(self, key: str, data: bytes) -> None:
        if key.endswith(".parquet"):
            seen, started = self.writer.opened, time.monotonic()
            while self.writer.opened < seen + 2 and self.writer.is_alive():
                assert time.monotonic() - started < 30
                time.sleep(0.001)
        super().write(key, data)


def test_a_bank_that_is_written_meanwhile_is_exported_as_of_one_moment(
    mariadb_url: str,
    mariadb_server: MariaDBServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bank = open_bank(Settings(database_url=mariadb_url))
    before = bank.fill(open_source("sample:scale=0.02,seed=1"))
    monkeypatch.setattr(direct, "ROWS_PER_FILE", 5_000)
    writer = Writer(mariadb_server)
    store = WaitsForTheWriter(tmp_path / "lake")
    store.writer = writer
    writer.start()
    try:
        while not writer.opened:
            assert writer.is_alive()
            time.sleep(0.001)
        manifest = export_direct(bank, store, source=None)
        opened_by_the_end = writer.opened
    finally:
        writer.ending.set()
        writer.join()

    new = {
        table: manifest.tables[table].rows - before[table]
        for table in ("client", "account", "disp", "trans")
    }
    assert len(set(new.values())) == 1, new
    assert 0 < new["trans"] < opened_by_the_end - 10, "the writer wrote during the export"
    tables = open_snapshot(store, manifest, ibis.duckdb.connect())
    orphans = tables["trans"].anti_join(tables["account"], "account_id")
    assert orphans.count().to_pyarrow().as_py() == 0


def test_both_banks_give_the_same_snapshot(mariadb_url: str, tmp_path: Path) -> None:
    source = open_source("sample:scale=0.02,seed=5")
    banks = [open_bank(Settings(database_url=mariadb_url)), EmbeddedBank(tmp_path / "bank.duckdb")]
    store = FolderStore(tmp_path / "lake")
    opened = []
    for bank in banks:
        counts = bank.fill(source)
        manifest = export_direct(bank, store, source=source.name)
        assert row_count_problems(manifest, counts) == []
        assert "p@ss" not in manifest.model_dump_json()
        opened.append(open_snapshot(store, manifest, ibis.duckdb.connect()))
    for table in TABLES:
        ours, theirs = (
            tables[table.name].order_by(table.primary_key).to_pyarrow() for tables in opened
        )
        assert ours.equals(theirs), table.name
