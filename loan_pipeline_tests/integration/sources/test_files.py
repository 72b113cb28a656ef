"""The challenge's files as a source of the embedded bank, well-formed and not."""

import gzip
import os
import shutil
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from loan_pipeline.bank.embedded.database import EmbeddedBank
from loan_pipeline.bank.errors import SourceError
from loan_pipeline.bank.protocol import Sized
from loan_pipeline.contracts.tables import TABLES, TABLES_BY_NAME
from loan_pipeline.sources.open import open_source
from loan_pipeline_tests.helpers import tiny_bank

BERKA = Path(
    os.environ.get("LOAN_TEST_BERKA", Path(__file__).resolve().parents[4] / "shared" / "berka")
)


def contents(bank: EmbeddedBank) -> dict[str, list[tuple]]:
    with bank.reading() as reader:
        return {
            table.name: sorted(
                (tuple(row.values()) for row in reader.batches(table).read_all().to_pylist()),
                key=lambda row: row[0],
            )
            for table in TABLES
        }


@pytest.fixture
def bank(tmp_path: Path) -> EmbeddedBank:
    return EmbeddedBank(tmp_path / "home" / "bank.duckdb")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with well-formed files and the bank that was filled from them."""
    folder = tmp_path_factory.mktemp("good")
    EmbeddedBank(folder / "bank.duckdb").fill(
        open_source(str(tiny_bank.write_files(folder / "files")))
    )
    return folder


@pytest.fixture
def filled(bank: EmbeddedBank, good: Path, tmp_path: Path) -> EmbeddedBank:
    (tmp_path / "home").mkdir()
    shutil.copy(good / "bank.duckdb", tmp_path / "home")
    return bank


def test_values_arrive_as_the_contract_wants_them(filled: EmbeddedBank) -> None:
    rows = contents(filled)
    assert rows["client"] == [
        (1, "F", date(1970, 12, 13), 2),
        (2, "M", date(1945, 2, 4), 1),
        (3, "F", date(1940, 9, 9), 1),
        (4, "M", date(1980, 12, 31), 2),
    ]
    assert rows["card"][0] == (1, 1, "gold", date(1993, 11, 7))
    assert rows["district"][1][11:15] == (None, Decimal("7.01"), 124, None)
    assert rows["district"][0][11] == Decimal("0.3")
    assert [row[-1] for row in rows["order"]] == ["SIPO", "UVER", " "]
    assert [row[0] for row in rows["trans"]] == [1, 2, 3, 4, 5]
    assert [row[4] for row in rows["trans"]][1] is None
    assert [row[7] for row in rows["trans"]] == [None, "UROK", "DUCHOD", " ", None]
    assert rows["trans"][0][6] == Decimal("-200.45")


@pytest.mark.parametrize("packing", ["plain", "gz", "zip"])
@pytest.mark.parametrize(
    ("ending", "delimiter", "newline", "quoted"),
    [(".asc", ";", "\r\n", True), (".csv", ",", "\n", False), (".csv", ",", "\r\n", True)],
)
def test_every_way_of_writing_the_files_gives_the_same_bank(
    filled: EmbeddedBank,
    tmp_path: Path,
    packing: str,
    ending: str,
    delimiter: str,
    newline: str,
    quoted: bool,
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    archive = folder / "data.zip"
    for name, rows in tiny_bank.tables().items():
        data = tiny_bank.written(rows, delimiter=delimiter, newline=newline, quoted=quoted)
        if packing == "zip":
            with zipfile.ZipFile(archive, "a") as file:
                file.writestr(f"data/{name}{ending}", data)
        elif packing == "gz":
            (folder / f"{name}{ending}.gz").write_bytes(gzip.compress(data))
        else:
            (folder / f"{name}{ending}").write_bytes(data)
    before = contents(filled)
    filled.fill(open_source(str(archive if packing == "zip" else folder)))
    assert contents(filled) == before


def test_files_with_the_contracts_own_columns_and_iso_dates_are_read_too(
    filled: EmbeddedBank, tmp_path: Path
) -> None:
    before = contents(filled)
    changed = tiny_bank.tables()
    changed["client"] = [list(TABLES_BY_NAME["client"].column_names)] + [
        [str(cell) for cell in row] for row in before["client"]
    ]
    changed["district"][0][0] = "district_id"
    changed["card"][1][3] = "1993-11-07"
    changed["loan"][1][2] = "1994-01-05 00:00:00"
    filled.fill(open_source(str(tiny_bank.write_files(tmp_path / "iso", changed))))
    assert contents(filled) == before


def test_the_real_files_keep_the_contract(bank: EmbeddedBank) -> None:
    if not BERKA.is_dir():
        pytest.skip(f"the real bank's files are not at {BERKA}; LOAN_TEST_BERKA names them")
    counts = bank.fill(open_source(str(BERKA)))
    assert counts == bank.row_counts()
    assert (counts["loan"], counts["trans"], counts["client"]) == (328, 24_494, 5_369)
    assert bank.filled_from() == f"files in {BERKA}"


def _drop_column(bank: tiny_bank.Tables) -> None:
    for row in bank["loan"]:
        del row[4]


def _set(table: str, row: int, column: int, value: str):
    def change(bank: tiny_bank.Tables) -> None:
        bank[table][row][column] = value

    change.__name__ = f"{table}_{column}_{value.strip() or 'empty'}"
    return change


def _repeat_loan(bank: tiny_bank.Tables) -> None:
    bank["loan"].append(bank["loan"][1])


def _second_owner(bank: tiny_bank.Tables) -> None:
    bank["disp"][3][3] = "OWNER"


def _no_owner(bank: tiny_bank.Tables) -> None:
    bank["disp"][1][3] = "DISPONENT"


def _short_row(bank: tiny_bank.Tables) -> None:
    del bank["account"][2][3]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_drop_column, ["loan.asc", "column duration is missing"]),
        (_set("loan", 2, 2, "963131"), ["loan.asc", "column date", "line 3", "'963131'"]),
        (_set("loan", 2, 2, "970229"), ["loan.asc", "column date", "line 3", "'970229'"]),
        (_set("client", 3, 1, "707013"), ["client.asc", "birth_number", "line 4"]),
        (_set("trans", 1, 5, "12,5x"), ["trans.asc", "column amount", "line 2", "'12,5x'"]),
        (_set("trans", 1, 1, ""), ["trans.asc", "column account_id", "line 2", "empty"]),
        (_set("trans", 1, 1, "3000000000"), ["trans.asc", "account_id", "line 2"]),
        (
            _set("loan", 1, 5, "12345678901234.67"),
            ["loan.asc", "payments", "at most 13 digits", "line 2"],
        ),
        (_repeat_loan, ["loan.loan_id is not unique", "2 x 10", "loan.asc line 2, 4"]),
        (
            _set("loan", 1, 1, "99"),
            ["loan.account_id refers to no row of account", "loan_id 10: 99", "loan.asc line 2"],
        ),
        (_set("loan", 2, 6, "X"), ["loan.status is not a known code", "1 x 'X'", "line 3"]),
        (_set("loan", 2, 6, "a"), ["loan.status is not a known code"]),
        (_set("loan", 2, 3, "0"), ["loan.amount is below 1"]),
        (_set("order", 1, 5, "TOO LONG A SYMBOL"), ["order.asc", "k_symbol", "line 2"]),
        (_set("trans", 1, 2, "1850-01-01"), ["trans.date is not between 1900-01-01", "line 2"]),
        (_second_owner, ["more than one owner", "account_id 2", "disp.asc line 4"]),
        (_no_owner, ["no owner of an account that has a loan", "account_id 1"]),
        (_short_row, ["account.asc", "Expected 4 columns, got 3"]),
    ],
)
def test_bad_input_ends_with_one_clear_message_and_leaves_the_bank_as_it_was(
    filled: EmbeddedBank, good: Path, tmp_path: Path, change, told: list[str]
) -> None:
    before = contents(filled)
    bent = tiny_bank.tables()
    change(bent)
    with pytest.raises(SourceError) as caught:
        filled.fill(open_source(str(tiny_bank.write_files(tmp_path / "bent", bent))))
    message = str(caught.value)
    assert [part for part in told if part not in message] == [], message
    assert "fill again" in message
    assert contents(filled) == before
    assert filled.filled_from() == f"files in {good / 'files'}"
    left = {path.name for path in (tmp_path / "home").iterdir()}
    assert left - {"bank.duckdb.lock"} == {"bank.duckdb"}


def test_line_numbers_stay_right_after_blank_lines(bank: EmbeddedBank, tmp_path: Path) -> None:
    folder = tiny_bank.write_files(tmp_path / "bent")
    path = folder / "loan.asc"
    path.write_bytes(path.read_bytes().replace(b"\n11;", b"\n\n\n11;").replace(b"960429", b"9604"))
    with pytest.raises(SourceError, match=r"line 5: '9604'"):
        bank.fill(open_source(str(folder)))


def test_a_folder_that_holds_one_zip_is_read_as_that_zip(
    filled: EmbeddedBank, good: Path, tmp_path: Path
) -> None:
    before = contents(filled)
    (tmp_path / "download").mkdir()
    with zipfile.ZipFile(tmp_path / "download" / "data_berka.zip", "w") as archive:
        for path in (good / "files").iterdir():
            archive.write(path, path.name)
    filled.fill(open_source(str(tmp_path / "download")))
    assert contents(filled) == before


def test_a_byte_order_mark_capitals_and_more_columns_do_no_harm(
    filled: EmbeddedBank, tmp_path: Path
) -> None:
    before = contents(filled)
    bent = tiny_bank.tables()
    bent["loan"] = [[f"{number}", *row] for number, row in enumerate(bent["loan"])]
    bent["loan"][0] = ["", *(name.upper() for name in bent["loan"][0][1:])]
    folder = tiny_bank.write_files(tmp_path / "bent", bent)
    loan = folder / "loan.asc"
    loan.write_bytes(b"\xef\xbb\xbf" + loan.read_bytes())
    filled.fill(open_source(str(folder)))
    assert contents(filled) == before


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_file_of_a_header_alone_is_an_empty_table(
    bank: EmbeddedBank, tmp_path: Path, end: bytes
) -> None:
    folder = tiny_bank.write_files(tmp_path / "bent")
    (folder / "card.asc").write_bytes(b"card_id;disp_id;type;issued" + end)
    assert bank.fill(open_source(str(folder)))["card"] == 0
    (folder / "loan.asc").write_bytes((folder / "loan.asc").read_bytes().split(b"\n")[0] + end)
    with pytest.raises(SourceError, match=r"loan.loan_id the table is empty"):
        bank.fill(open_source(str(folder)))


def test_the_number_of_rows_is_guessed_for_the_progress_bar(tmp_path: Path) -> None:
    folder = tiny_bank.write_files(tmp_path / "good")
    source = open_source(str(folder))
    assert isinstance(source, Sized)
    assert source.expected_rows(TABLES_BY_NAME["trans"]) == 5


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"no source '{tmp_path}/nowhere'.*A source is one of"):
        open_source(str(tmp_path / "nowhere"))


def test_every_missing_file_is_named(tmp_path: Path) -> None:
    folder = tiny_bank.write_files(tmp_path / "bent")
    (folder / "loan.asc").unlink()
    (folder / "card.asc").unlink()
    with pytest.raises(SourceError, match=r"lacks card.asc, loan.asc"):
        open_source(str(folder))


def test_two_files_of_one_table_are_refused(tmp_path: Path) -> None:
    folder = tiny_bank.write_files(tmp_path / "both")
    tiny_bank.write_files(folder, ending=".csv")
    with pytest.raises(SourceError, match="both hold table account: keep one"):
        open_source(str(folder))


def test_a_damaged_gzip_file_is_named(bank: EmbeddedBank, tmp_path: Path) -> None:
    folder = tiny_bank.write_files(tmp_path / "cut")
    path = folder / "trans.asc"
    path.with_name("trans.asc.gz").write_bytes(gzip.compress(path.read_bytes())[:-20])
    path.unlink()
    with pytest.raises(SourceError, match=r"trans.asc.gz cannot be read"):
        bank.fill(open_source(str(folder)))
    assert not bank.exists()


@pytest.mark.parametrize(
    "spec", ["sample:scale=0", "sample:size=2", "sample:scale=x", "sample:seed=a"]
)
def test_a_sample_with_odd_options_is_refused(spec: str) -> None:
    with pytest.raises(SourceError, match="is not understood"):
        open_source(spec)
