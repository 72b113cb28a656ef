"""Whatever shape a bank's files have, the same bank is loaded, or a message says what to do."""

import gzip
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from loan_pipeline.bank.embedded.database import EmbeddedBank
from loan_pipeline.bank.errors import SourceError
from loan_pipeline.sources.open import open_source
from loan_pipeline_tests.helpers import tiny_bank
from loan_pipeline_tests.helpers.tiny_bank import Tables, contents

pytestmark = pytest.mark.slow  # each spelling fills a bank


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    folder = tmp_path_factory.mktemp("expected")
    return loaded(tiny_bank.write_files(folder / "files"), folder)


def loaded(source: Path, home: Path) -> dict[str, pa.Table]:
    bank = EmbeddedBank(home / "bank.duckdb")
    bank.fill(open_source(str(source)))
    return contents(bank)


def refusal(source: Path, home: Path) -> str:
    with pytest.raises(SourceError) as caught:
        loaded(source, home)
    return str(caught.value)


def rewritten(
    folder: Path, change: Callable[[str, str], bytes], bank: Tables | None = None
) -> Path:
    """The files, each as `change` of its table and text gives it."""
    folder.mkdir()
    for name, rows in (bank or tiny_bank.tables()).items():
        (folder / f"{name}.csv").write_bytes(change(name, tiny_bank.written(rows).decode()))
    return folder


def dump(bank: Tables, name: str, quote: str = "`") -> str:
    q = quote
    columns = ", ".join(f"{q}{column}{q} varchar(40)" for column in bank[name][0])
    rows = ",".join(
        "(" + ",".join(f"'{cell}'" if cell not in ("", "?") else "NULL" for cell in row) + ")"
        for row in bank[name][1:]
    )
    return f"CREATE TABLE {q}{name}{q} ({columns});\nINSERT INTO {q}{name}{q} VALUES {rows};\n"


@pytest.mark.parametrize("separator", [",", "\t", "|", ";"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends(
    expected: dict[str, pa.Table], tmp_path: Path, separator: str, newline: str
) -> None:
    source = rewritten(
        tmp_path / "files",
        lambda _, text: text.replace(";", separator).replace("\n", newline).encode(),
    )
    assert loaded(source, tmp_path) == expected


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1250"]
)
def test_encodings_keep_every_letter(tmp_path: Path, encoding: str) -> None:
    bank = tiny_bank.tables()
    bank["district"][2][1] = "Jeseník nad Řekou Žďár"
    source = rewritten(tmp_path / "files", lambda _, text: text.encode(encoding), bank)
    assert loaded(source, tmp_path)["district"]["A2"].to_pylist()[1] == bank["district"][2][1]


def _capitals(_: str, text: str) -> bytes:
    header, _, rows = text.partition("\n")
    cells = (f" {cell.upper().replace('_', ' ')} " for cell in header.split(";"))
    return f"{';'.join(cells)}\n{rows}".encode()


def _more_columns(_: str, text: str) -> bytes:
    return "".join(f"{line};;\n" for line in text.splitlines()).encode()


@pytest.mark.parametrize(
    "change",
    [
        _capitals,
        _more_columns,
        lambda _, text: f"sep=;\n{text}".encode(),
        lambda _, text: f"\n\n{text}".encode(),
        lambda _, text: text.replace('"PRIJEM"', '" PRIJEM "').encode(),
        lambda _, text: text.replace("940105", "19940105").replace("930101", "1993-01-01").encode(),
    ],
    ids=["header", "empty columns", "sep line", "blank lines", "blanks around codes", "dates"],
)
def test_what_spreadsheets_add_does_no_harm(
    expected: dict[str, pa.Table], tmp_path: Path, change: Callable[[str, str], bytes]
) -> None:
    assert loaded(rewritten(tmp_path / "files", change), tmp_path) == expected


@pytest.mark.parametrize(
    "nothing", ["NULL", "null", "\\N", "NA", "N/A", "NaN", "nan", "None", "<NA>", "", "?"]
)
def test_every_spelling_of_nothing_is_nothing_where_there_may_be_none(
    expected: dict[str, pa.Table], tmp_path: Path, nothing: str
) -> None:
    bank = tiny_bank.tables()
    for row in bank["trans"][1:]:
        row[:] = [cell if cell else nothing for cell in row]
    bank["district"][2] = [cell if cell != "?" else nothing for cell in bank["district"][2]]
    assert loaded(tiny_bank.write_files(tmp_path / "files", bank), tmp_path) == expected


def test_nothing_in_a_column_that_must_not_be_empty_is_refused(tmp_path: Path) -> None:
    bank = tiny_bank.tables()
    bank["loan"][1][3] = "NULL"
    message = refusal(tiny_bank.write_files(tmp_path / "files", bank), tmp_path)
    assert "column amount is not a whole number (line 2: 'NULL')" in message


@pytest.mark.parametrize(
    "write",
    [
        lambda text: text.replace(".", ","),
        lambda text: f"{float(text):,.2f}".replace(",", " "),
        lambda text: f"{float(text):,.2f}".replace(",", "'"),
        lambda text: f"{float(text):,.2f}".translate(str.maketrans(",.", ".,")),
        lambda text: f"{float(text):,.2f}",
        lambda text: f"{float(text)!r}",
    ],
)
def test_numbers_in_one_readable_way_are_read(
    expected: dict[str, pa.Table], tmp_path: Path, write: Callable[[str], str]
) -> None:
    bank = tiny_bank.tables()
    for row in bank["trans"][1:]:
        row[5:7] = [write(text) for text in row[5:7]]
    assert loaded(tiny_bank.write_files(tmp_path / "files", bank), tmp_path) == expected


def test_numbers_in_two_readable_ways_are_refused_for_every_column_at_once(tmp_path: Path) -> None:
    bank = tiny_bank.tables()
    for row in bank["trans"][1:]:
        row[5:7] = ["8.000", "12.000"]
    for row in bank["loan"][1:]:
        row[3] = "96.000"
    message = refusal(tiny_bank.write_files(tmp_path / "files", bank), tmp_path)
    for column, text in (("amount", "8.000"), ("balance", "12.000"), ("amount", "96.000")):
        assert f"column {column} is not a number that can be read in one way only: '{text}'" in (
            message
        )


def test_codes_of_another_language_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    bank = tiny_bank.tables()
    for row in bank["trans"][1:]:
        row[4] = row[4].lower()
    for row in bank["account"][1:]:
        row[2] = "a monthly statement by post"
    message = refusal(tiny_bank.write_files(tmp_path / "files", bank), tmp_path)
    assert "trans.operation is not a known code (known: VKLAD, PREVOD Z UCTU" in message
    assert "account.frequency is not a known code (known: POPLATEK MESICNE" in message
    assert "3 rows (3 x 'a monthly statement by post')" in message


def test_all_problems_of_a_source_come_in_one_message(tmp_path: Path) -> None:
    bank = tiny_bank.tables()
    bank["client"][1][1] = "990000"
    bank["loan"][1][2] = "1/2/1994"
    bank["loan"][2][5] = "x"
    bank["card"][1][2] = "platinum"
    bank["disp"][1][1] = "99"
    message = refusal(tiny_bank.write_files(tmp_path / "files", bank), tmp_path)
    for part in (
        "client.asc: column birth_number",
        "loan.asc: column date is not a date",
        "loan.asc: column payments is not a number (line 3: 'x')",
        "card.type is not a known code",
    ):
        assert part in message


def test_a_loan_before_its_account_is_refused_with_its_line(tmp_path: Path) -> None:
    bank = tiny_bank.tables()
    bank["loan"][1][2] = "921231"
    message = refusal(tiny_bank.write_files(tmp_path / "files", bank), tmp_path)
    assert "loan.date is before the account was opened: 1 row" in message
    assert "opened 1993-01-01); see " in message
    assert message.count("loan.asc line 2") == 1


def test_files_in_one_subfolder_are_found_and_two_are_asked_about(
    expected: dict[str, pa.Table], tmp_path: Path
) -> None:
    tiny_bank.write_files(tmp_path / "files" / "data" / "berka")
    (tmp_path / "files" / "readme.txt").write_text("about the data")
    assert loaded(tmp_path / "files", tmp_path) == expected
    tiny_bank.write_files(tmp_path / "files" / "other")
    assert "in the folders data/berka, other: name one" in refusal(tmp_path / "files", tmp_path)


@pytest.mark.parametrize("packing", ["sql", "gz", "zip", "folder", "capitals"])
def test_dumps_however_they_are_quoted_and_packed(
    expected: dict[str, pa.Table], tmp_path: Path, packing: str
) -> None:
    bank = tiny_bank.tables()
    quote = '"' if packing == "sql" else "`"
    scripts = {name: dump(bank, name, quote) for name in bank}
    text = "".join(scripts.values())
    if packing == "gz":
        source = tmp_path / "bank.sql.gz"
        source.write_bytes(gzip.compress(text.encode()))
    elif packing == "zip":
        source = tmp_path / "bank.zip"
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("dump/bank.sql", text)
    elif packing == "folder":
        source = tmp_path / "dump"
        source.mkdir()
        for name, script in scripts.items():
            (source / f"bank_{name}.sql").write_text(script)
        (source / "best districts.sql").write_text("SELECT A2 FROM district ORDER BY A11 DESC")
        (source / "notes.sql").write_text("-- notes\nSELECT COUNT(*) FROM loan;\n")
    else:
        source = tmp_path / "bank.sql"
        for name in bank if packing == "capitals" else ():
            text = text.replace(f"`{name}`", f"`{name.upper()}`")
        source.write_text(text)
    assert loaded(source, tmp_path) == expected


def test_eight_files_beside_a_stray_script_are_loaded(
    expected: dict[str, pa.Table], tmp_path: Path
) -> None:
    source = tiny_bank.write_files(tmp_path / "files")
    (source / "queries.sql").write_text("SELECT COUNT(*) FROM loan WHERE status = 'A';\n")
    assert loaded(source, tmp_path) == expected


def test_a_sqlite_file_is_read_whatever_its_name(
    expected: dict[str, pa.Table], tmp_path: Path
) -> None:
    source = tmp_path / "bank.data"
    with sqlite3.connect(source) as connection:
        for name, (header, *rows) in tiny_bank.tables().items():
            columns = ", ".join(f'"{column}"' for column in header)
            connection.execute(f'CREATE TABLE "{name.upper()}" ({columns})')
            marks = ", ".join("?" * len(header))
            cells = [[cell if cell not in ("", "?") else None for cell in row] for row in rows]
            connection.executemany(f'INSERT INTO "{name.upper()}" VALUES ({marks})', cells)
    connection.close()
    assert loaded(source, tmp_path) == expected
    with sqlite3.connect(source) as connection:
        connection.execute("ALTER TABLE CARD RENAME TO cards")
        connection.execute("ALTER TABLE LOAN RENAME COLUMN status TO outcome")
    connection.close()
    message = refusal(source, tmp_path)
    assert "has no table card; it has " in message
    assert "table loan lacks column status; it has loan_id" in message


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("loan.csv", b"loan_id;account_id\n1;1\n", "is the file of one table"),
        ("bank.tar.gz", gzip.compress(b"x", mtime=0), "cannot be read. Unpack it first"),
        ("bank.xml", b"<mysqldump/>", "this kind of file cannot be read. A source is one of"),
        ("bank.xlsx", b"PK\x03\x04", "this kind of file cannot be read"),
        ("bank.dump", b"PGDMP\x01", "pg_dump --inserts"),
        (
            "bank.sql",
            b"COPY public.loan (loan_id) FROM stdin;\n1\n\\.\n",
            r"COPY … FROM stdin, as PostgreSQL's pg_dump writes them.*--inserts.*\\copy loan",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_what_can(
    tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=told):
        open_source(str(tmp_path / name))


def test_missing_columns_of_every_file_are_named_beside_those_found(tmp_path: Path) -> None:
    bank = tiny_bank.tables()
    bank["loan"][0][4] = "months"
    bank["district"][0][1:3] = ["name", "region"]
    message = refusal(tiny_bank.write_files(tmp_path / "files", bank), tmp_path)
    assert "loan.asc: column duration is missing" in message
    assert "district.asc: column A2, A3 is missing" in message
    assert "it has A1, name, region, A4" in message
    assert "separated by semicolons" in message
    scripts = "".join(dump(bank, name) for name in bank)
    (tmp_path / "bank.sql").write_text(scripts)
    message = refusal(tmp_path / "bank.sql", tmp_path)
    assert "table loan lacks column duration; it has loan_id, account_id, date" in message
    assert "table district lacks column A2, A3; it has A1, name, region" in message
