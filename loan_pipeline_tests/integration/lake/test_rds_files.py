"""What others' RDS exports must hold, how their types are read, and the checks on a snapshot."""

import json
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loan_pipeline.contracts.tables import TABLES, TABLES_BY_NAME
from loan_pipeline.lake.direct import export_direct
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.lake.rds.files import adopt_export, foreign_exports
from loan_pipeline.lake.reader import open_snapshot
from loan_pipeline.lake.snapshot import SnapshotError, latest_snapshot, new_snapshot_id
from loan_pipeline.quality.snapshots import (
    SnapshotReader,
    damaged_files,
    newest_transaction_problems,
    row_count_problems,
)
from loan_pipeline.quality.tables import find_violations
from loan_pipeline_tests.helpers.arrow_bank import ArrowBank, random_bank
from loan_pipeline_tests.helpers.rds_stand_in import exported, write_export

BANK = random_bank(transactions=300)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "lake")


def place(store: FolderStore, export_id: str, bank: ArrowBank = BANK, **how: object) -> None:
    """An export by somebody else into the store's prefix."""

    def write(key: str, data: bytes) -> None:
        store.write(f"snapshots/{export_id}/{key}", data)

    write_export(bank, write, export_id, **how)


def age(store: FolderStore, export_id: str, ago: timedelta) -> None:
    path = store.path(f"snapshots/{export_id}/export_info_{export_id}.json")
    moment = (datetime.now(UTC) - ago).timestamp()
    os.utime(path, (moment, moment))


def test_a_foreign_export_is_seen_once_and_becomes_the_latest(store: FolderStore) -> None:
    export_direct(BANK, store, source=None)
    place(store, "nightly-7")
    [found] = foreign_exports(store)
    assert found.export_id == "nightly-7"
    manifest = adopt_export(store, found.export_id)
    assert latest_snapshot(store) == manifest
    assert manifest.created_at == found.completed_at
    assert manifest.bank == "RDS arn:aws:rds:eu-central-1:123456789012:snapshot:nightly"
    assert foreign_exports(store) == []


def test_of_several_foreign_exports_only_those_after_the_latest_snapshot_count(
    store: FolderStore,
) -> None:
    for number, days in enumerate((3, 1, 2)):
        place(store, f"nightly-{number}")
        age(store, f"nightly-{number}", timedelta(days=days))
    assert [e.export_id for e in foreign_exports(store)] == ["nightly-0", "nightly-2", "nightly-1"]
    adopt_export(store, "nightly-2")
    assert [e.export_id for e in foreign_exports(store)] == ["nightly-1"]
    export_direct(BANK, store, source=None)
    assert foreign_exports(store) == []


def test_exports_under_way_failed_or_our_own_are_not_foreign(store: FolderStore) -> None:
    place(store, "nightly-0")
    record = store.path("snapshots/nightly-0/export_info_nightly-0.json")
    record.write_text(json.dumps({"status": "FAILED"}))
    place(store, "nightly-1")
    store.delete("snapshots/nightly-1/export_info_nightly-1.json")
    place(store, new_snapshot_id())
    store.write("snapshots/notes/readme.txt", b"hello")
    assert foreign_exports(store) == []
    with pytest.raises(SnapshotError, match="holds no complete RDS export"):
        adopt_export(store, "nightly-1")
    place(store, "nightly-1")  # it gets complete after all, and was not rejected before its time
    assert [export.export_id for export in foreign_exports(store)] == ["nightly-1"]


def test_a_rejected_export_is_not_offered_again(store: FolderStore) -> None:
    place(store, "nightly-0", skipped={"loan"})
    with pytest.raises(SnapshotError, match=r"skipped table financial\.loan"):
        adopt_export(store, "nightly-0")
    assert foreign_exports(store) == []
    reason = json.loads(store.read("snapshots/nightly-0/rejected.json"))["reason"]
    assert "financial.loan" in reason


def test_a_table_without_rows_has_no_file_and_is_no_skipped_table(store: FolderStore) -> None:
    tables = BANK.tables | {"card": BANK.tables["card"].slice(0, 0)}
    place(store, "nightly-0", ArrowBank(tables))
    manifest = adopt_export(store, "nightly-0")
    assert (manifest.tables["card"].rows, manifest.tables["card"].files) == (0, ())
    cards = open_snapshot(store, manifest, ibis.duckdb.connect())["card"].to_pyarrow()
    assert cards.equals(tables["card"])


def test_the_bank_may_be_in_a_database_of_another_name(store: FolderStore) -> None:
    place(store, "nightly-0", database="bank2024")
    assert adopt_export(store, "nightly-0").tables["trans"].rows == 300


def test_two_databases_with_the_banks_tables_are_refused(store: FolderStore) -> None:
    place(store, "nightly-0")
    other = [{"target": f"copy.{table.name}", "status": "COMPLETE"} for table in TABLES]
    store.write(
        "snapshots/nightly-0/export_tables_info_nightly-0_from_9_to_16.json",
        json.dumps({"perTableStatus": other}).encode(),
    )
    with pytest.raises(SnapshotError, match="in 2 databases"):
        adopt_export(store, "nightly-0")


def rewritten(store: FolderStore, table: str, column: str, values: pa.Array | None) -> None:
    """Put other values into the first file of a table, or take the column out."""
    prefix = f"snapshots/nightly-0/financial/financial.{table}/"
    path = store.path(next(key for key in store.list(prefix[:-1]) if key.endswith(".parquet")))
    rows = pq.read_table(path)
    place_of = rows.column_names.index(column)
    rows = rows.remove_column(place_of)
    if values is not None:
        rows = rows.add_column(place_of, column, pa.concat_arrays([values] * 40).slice(0, 40))
    pq.write_table(rows, path)


@pytest.mark.parametrize(
    ("table", "column", "value", "shown"),
    [
        ("client", "birth_date", pa.array(["1970-13-45"]), "'1970-13-45' is no DATE"),
        ("client", "birth_date", pa.array(["1970-12-13x"]), "'1970-12-13x' is no DATE"),
        ("client", "birth_date", pa.array(["0000-00-00"]), "'0000-00-00' is no DATE"),
        ("loan", "date", pa.array([datetime(1997, 1, 1, 10)]), "10, 0) is no DATE"),  # noqa: DTZ001
        ("client", "gender", pa.array([b"\xff"]), r"b'\xff' is no VARCHAR"),
        ("loan", "payments", pa.array([Decimal("12345678901234.50")]), "is no DECIMAL(15,2)"),
        ("loan", "payments", pa.array([Decimal("1.005")]), "is no DECIMAL(15,2)"),
        ("loan", "payments", pa.array(["ten"]), "'ten' is no DECIMAL(15,2)"),
        ("loan", "amount", pa.array([1.5]), "1.5 is no BIGINT"),
        ("loan", "amount", pa.array(["1.5"]), "'1.5' is no BIGINT"),
    ],
)
def test_a_value_that_does_not_cast_is_named(
    store: FolderStore, table: str, column: str, value: pa.Array, shown: str
) -> None:
    place(store, "nightly-0", whole=True)
    rewritten(store, table, column, value)
    with pytest.raises(SnapshotError) as caught:
        adopt_export(store, "nightly-0")
    assert f"table {table}, column {column}: the value" in str(caught.value)
    assert shown in str(caught.value)
    with pytest.raises(SnapshotError, match="no snapshot yet"):
        latest_snapshot(store)


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("payments", pa.array([304.4]), Decimal("304.40")),
        ("payments", pa.array(["304.4"]), Decimal("304.40")),
        ("payments", pa.array([304], pa.int32()), Decimal("304.00")),
        ("amount", pa.array([Decimal("4980.00")]), 4980),
        ("date", pa.array([datetime(1997, 1, 1)]), datetime(1997, 1, 1).date()),  # noqa: DTZ001
        ("status", pa.array([b"A"]), "A"),
    ],
)
def test_other_types_that_hold_the_value_exactly_are_cast(
    store: FolderStore, column: str, value: pa.Array, expected: object
) -> None:
    place(store, "nightly-0", whole=True)
    rewritten(store, "loan", column, value)
    manifest = adopt_export(store, "nightly-0")
    loans = open_snapshot(store, manifest, ibis.duckdb.connect())["loan"]
    assert set(loans[column].to_pyarrow().to_pylist()) == {expected}


def test_a_missing_column_is_named(store: FolderStore) -> None:
    place(store, "nightly-0", whole=True)
    rewritten(store, "loan", "payments", None)
    with pytest.raises(SnapshotError, match=r"table loan: column payments is missing \(there are"):
        adopt_export(store, "nightly-0")


def test_a_folder_name_with_wildcards_is_taken_literally(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "lake[1]*")
    manifest = export_direct(BANK, store, source=None)
    tables = open_snapshot(store, manifest, ibis.duckdb.connect())
    assert tables["trans"].count().to_pyarrow().as_py() == 300


def test_row_counts_are_compared_with_the_banks(store: FolderStore) -> None:
    manifest = export_direct(BANK, store, source=None)
    counts = {table.name: BANK.row_count(table) for table in TABLES}
    assert row_count_problems(manifest, counts) == []
    problems = row_count_problems(manifest, counts | {"loan": 41, "extra": 1})
    assert [str(problem) for problem in problems] == [
        "loan has 40 rows in the snapshot, 41 in the bank",
        "extra is not in the snapshot, 1 rows in the bank",
    ]


def test_the_newest_transaction_must_be_where_the_manifest_says(store: FolderStore) -> None:
    manifest = export_direct(BANK, store, source="files")
    tables = open_snapshot(store, manifest, ibis.duckdb.connect())
    assert newest_transaction_problems(manifest, tables, manifest) == []
    later = manifest.model_copy(update={"as_of": manifest.as_of + timedelta(days=2)})
    [problem] = newest_transaction_problems(later, tables)
    assert f"the manifest is as of {later.as_of}" in str(problem)
    [problem] = newest_transaction_problems(manifest, tables, previous=later)
    assert "of the same bank already knew" in str(problem)
    other = later.model_copy(update={"source": "other files"})
    assert newest_transaction_problems(manifest, tables, previous=other) == []
    old = manifest.model_copy(update={"created_at": datetime(1990, 1, 1, tzinfo=UTC)})
    [problem] = newest_transaction_problems(old, tables)
    assert "after the export itself" in str(problem)


def test_changed_contents_are_found_by_checksum(store: FolderStore) -> None:
    manifest = export_direct(BANK, store, source=None)
    assert damaged_files(store, manifest) == []
    path = store.path(f"snapshots/{manifest.snapshot_id}/{manifest.tables['loan'].files[0].key}")
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    [problem] = damaged_files(store, manifest)
    assert "financial.loan" in str(problem)


def test_the_banks_contract_is_asked_of_a_snapshot(store: FolderStore) -> None:
    broken = BANK.tables["loan"].set_column(6, "status", pa.array(["E", *["A"] * 39], pa.string()))
    manifest = export_direct(ArrowBank(BANK.tables | {"loan": broken}), store, source=None)
    tables = open_snapshot(store, manifest, ibis.duckdb.connect())
    found = {(v.table, v.column, v.rule): v.count for v in find_violations(SnapshotReader(tables))}
    assert found["loan", "status", "is not a known code (known: A, B, C, D)"] == 1
    assert not any(rule.startswith("refers to no row") for _, _, rule in found)


def test_what_the_stand_in_writes_needs_casts() -> None:
    loan = TABLES_BY_NAME["loan"]
    types = {field.name: str(field.type) for field in exported(loan, BANK.tables["loan"]).schema}
    assert types["date"] == "string"
    assert types["status"] == "binary"
    assert types["amount"] == "int32"
