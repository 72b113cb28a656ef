"""The sample bank as a source: deterministic, of any size, in the contract's types, in chunks."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loan_pipeline.bank.arrow import arrow_schema
from loan_pipeline.bank.errors import BankError, SourceError
from loan_pipeline.contracts.tables import LOAN, TABLES, TRANS, Table
from loan_pipeline.sources.open import open_source
from loan_pipeline.sources.sample import SampleSource, write_parquet, write_pkdd

every_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def read(source: SampleSource, table: Table) -> pa.Table:
    return pa.Table.from_batches(source.batches(table))


@every_table
def test_columns_and_types_are_the_contracts_with_nothing_missing(table: Table) -> None:
    rows = read(SampleSource(0.02), table)
    rows.validate(full=True)
    assert rows.schema == arrow_schema(table)
    for column in table.columns:
        values = rows[column.name]
        assert column.nullable or values.null_count == 0
        if column.codes:
            assert set(values.unique().drop_null().to_pylist()) <= set(column.codes)


@every_table
def test_the_same_seed_gives_the_same_bank_and_another_seed_another(table: Table) -> None:
    bank = read(SampleSource(0.02, seed=3), table)
    assert bank.equals(read(SampleSource(0.02, seed=3), table))
    assert not bank.equals(read(SampleSource(0.02, seed=4), table))


@pytest.mark.parametrize("scale", [0.01, 0.05, 0.3])
def test_small_banks_are_whole_banks(scale: float) -> None:
    for seed in range(3):
        loans = read(SampleSource(scale, seed), LOAN)
        assert loans.num_rows == round(682 * scale)
        assert set(loans["status"].to_pylist()) == set("ABCD")


@pytest.mark.slow
def test_a_larger_bank_is_more_of_the_same_with_keys_of_its_own() -> None:
    source = SampleSource(2)
    for table in TABLES[1:-1]:
        rows = read(source, table)
        assert rows.num_rows == 2 * read(SampleSource(1), table).num_rows
        assert len(rows[table.primary_key].unique()) == rows.num_rows
    expected = source.expected_rows(TRANS)
    assert expected == 2 * 1_056_320
    assert read(source, TRANS).num_rows == pytest.approx(expected, rel=0.03)


@pytest.mark.slow
def test_transactions_come_in_batches_of_one_chunk_at_a_time() -> None:
    batches = SampleSource(100).batches(TRANS)
    before = pa.total_allocated_bytes()
    sizes = [next(batches).num_rows for _ in range(13)]  # well into the second chunk
    assert max(sizes) <= 100_000
    # A chunk of 1,056,320 transactions takes about 120 MB; a hundred of them would take 12 GB.
    assert pa.total_allocated_bytes() - before < 500_000_000


@pytest.mark.parametrize(
    ("scale", "seed"), [(0, 1), (0.001, 1), (float("nan"), 1), (float("inf"), 1), (1, -1)]
)
def test_an_impossible_bank_is_refused_with_what_to_do(scale: float, seed: int) -> None:
    with pytest.raises(SourceError, match=r"at least 0\.01|non-negative"):
        SampleSource(scale, seed)


def test_what_is_written_as_pkdd_files_reads_back_the_same(tmp_path: Path) -> None:
    source = SampleSource(0.05, seed=9)
    write_pkdd(source, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{table.name}.asc" for table in TABLES
    )
    files = open_source(str(tmp_path))
    for table in TABLES:
        assert read(files, table).equals(read(source, table)), table.name


def test_pkdd_files_look_like_the_challenges(tmp_path: Path) -> None:
    write_pkdd(SampleSource(0.01), tmp_path)
    first = {path.stem: path.read_text().splitlines()[:2] for path in tmp_path.iterdir()}
    assert first["client"][0] == '"client_id";"birth_number";"district_id"'
    assert first["district"][0].startswith("A1;A2;A3;")
    opening = first["trans"][1].split(";")
    assert opening[3:5] == ['"PRIJEM"', '"VKLAD"']
    assert opening[7:] == ["", "", ""]
    assert first["card"][1].endswith(" 00:00:00")
    assert "?" in (tmp_path / "district.asc").read_text()


@pytest.mark.slow
def test_what_is_written_as_parquet_is_a_complete_snapshot(tmp_path: Path) -> None:
    source = SampleSource(0.05, seed=9)
    manifest = write_parquet(source, tmp_path / "lake")
    assert manifest.source == source.name
    assert str(manifest.as_of) == "1999-01-01"
    folder = tmp_path / "lake" / "snapshots" / manifest.snapshot_id
    for table in TABLES:
        files = manifest.tables[table.name].files
        rows = pa.concat_tables(pq.read_table(folder / file.key) for file in files)
        assert rows.equals(read(source, table)), table.name


def test_a_write_that_fails_leaves_the_files_that_were_there(tmp_path: Path) -> None:
    class Failing(SampleSource):
        def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
            yield from super().batches(table)
            if table is TRANS:
                raise OSError(28, "No space left on device")

    write_pkdd(SampleSource(0.01, seed=1), tmp_path)
    before = (tmp_path / "trans.asc").read_bytes()
    with pytest.raises(BankError, match=r"No space left on device.*free space"):
        write_pkdd(Failing(0.01, seed=2), tmp_path)
    assert (tmp_path / "trans.asc").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == len(TABLES)
