"""The embedded bank's file: replaced as a whole, whatever happens to the process that fills it."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from loan_pipeline.bank.embedded.database import EmbeddedBank
from loan_pipeline.bank.errors import BankError
from loan_pipeline.bank.protocol import Source
from loan_pipeline.contracts.tables import TABLES, TRANS, Table
from loan_pipeline.quality.tables import violations
from loan_pipeline.sources.open import open_source
from loan_pipeline_tests.helpers import tiny_bank
from loan_pipeline_tests.helpers.tiny_bank import contents


@pytest.fixture
def good(tmp_path: Path) -> Source:
    return open_source(str(tiny_bank.write_files(tmp_path / "good")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "bank.duckdb"


@pytest.fixture
def bank(path: Path, good: Source) -> EmbeddedBank:
    bank = EmbeddedBank(path)
    bank.fill(good)
    return bank


class Pausing:
    """A source that lets something happen in the middle."""

    name = "pausing source"

    def __init__(self, source: Source, happening) -> None:
        self._source, self._happening = source, happening

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        if table == TRANS:
            self._happening()
        return self._source.batches(table)


def assert_as_before(bank: EmbeddedBank, before: dict[str, pa.Table]) -> None:
    assert all(rows.equals(before[name]) for name, rows in contents(bank).items())


def test_a_bank_that_nobody_filled_says_how_to_fill_it(path: Path) -> None:
    bank = EmbeddedBank(path)
    assert not bank.exists()
    assert bank.filled_from() is None
    with pytest.raises(BankError, match="--source sample"):
        bank.row_counts()


def test_a_damaged_file_is_named(path: Path, bank: EmbeddedBank, good: Source) -> None:
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(BankError, match=r"bank.duckdb cannot be opened.*fill it again"):
        bank.row_counts()
    bank.fill(good)
    assert bank.row_counts()["loan"] == 2


def test_a_file_with_an_older_schema_is_reported(path: Path, bank: EmbeddedBank) -> None:
    with duckdb.connect(path) as connection:
        connection.execute('ALTER TABLE "order" ALTER amount TYPE DOUBLE')
        connection.execute("ALTER TABLE card DROP COLUMN issued")
    assert [str(found) for found in violations(bank)] == [
        "card.issued the column is missing",
    ]
    with bank.reading() as reader, pytest.raises(BankError, match="other types than the contract"):
        reader.batches(next(table for table in TABLES if table.name == "order"))


def test_a_read_keeps_the_file_it_began_with(
    bank: EmbeddedBank, path: Path, tmp_path: Path
) -> None:
    more = tiny_bank.tables()
    more["card"].append(["3", "4", "classic", "981231"])
    other = tiny_bank.write_files(tmp_path / "more", more)
    with bank.reading() as reader:
        # Another process fills: DuckDB would hand this one the file it has open.
        script = (
            "from pathlib import Path\n"
            "from loan_pipeline.bank.embedded.database import EmbeddedBank\n"
            "from loan_pipeline.sources.open import open_source\n"
            f"EmbeddedBank(Path({str(path)!r})).fill(open_source({str(other)!r}))\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True)
        assert reader.row_count(TABLES[4]) == 2
    assert bank.row_counts()["card"] == 3


def test_two_fills_at_once_are_one_fill_and_one_message(bank: EmbeddedBank, good: Source) -> None:
    problems: list[str] = []

    def second() -> None:
        with pytest.raises(BankError) as caught:
            bank.fill(good)
        problems.append(str(caught.value))

    bank.fill(Pausing(good, second))
    assert bank.filled_from() == "pausing source"
    [problem] = problems
    assert "is being filled by another process" in problem


def test_a_fill_that_is_killed_leaves_the_old_bank_and_no_lock(
    bank: EmbeddedBank, path: Path, good: Source
) -> None:
    before = contents(bank)
    script = (
        "from pathlib import Path\nfrom loan_pipeline.bank.embedded.database import EmbeddedBank\n"
        "from loan_pipeline.sources.open import open_source\n"
        f"EmbeddedBank(Path({str(path)!r})).fill(open_source('sample:scale=1'))\n"
    )
    filling = path.with_name("bank.duckdb.filling")
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        while not filling.exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert filling.exists()
    assert_as_before(bank, before)
    bank.fill(good)
    assert not filling.exists()


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_bank(bank: EmbeddedBank, path: Path) -> None:
    before = contents(bank)
    script = (
        "import resource, signal\nfrom pathlib import Path\n"
        "from loan_pipeline.bank.embedded.database import EmbeddedBank\n"
        "from loan_pipeline.bank.errors import BankError\n"
        "from loan_pipeline.sources.open import open_source\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))\n"
        f"try: EmbeddedBank(Path({str(path)!r})).fill(open_source('sample:scale=0.1'))\n"
        "except BankError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "could not be written, and was left as it was" in run.stdout, run.stderr
    assert_as_before(bank, before)


def test_a_file_of_somebody_else_is_never_written(path: Path, good: Source) -> None:
    with pytest.raises(BankError, match="LOAN_BANK_MANAGED=false"):
        EmbeddedBank(path, managed=False).fill(good)
    assert not path.parent.exists()
