"""The bank on a real MariaDB server: schema, fills and reads that equal the embedded bank's."""

import threading
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pymysql
import pytest

from loan_pipeline.bank.arrow import arrow_schema
from loan_pipeline.bank.errors import BankError, SourceError
from loan_pipeline.bank.mariadb import reader as mariadb_reader
from loan_pipeline.bank.mariadb.address import parse_address
from loan_pipeline.bank.mariadb.database import MariaDBBank
from loan_pipeline.bank.open import open_bank
from loan_pipeline.bank.protocol import Bank, Source
from loan_pipeline.contracts.tables import TABLES, TABLES_BY_NAME, TRANS
from loan_pipeline.quality.tables import violations
from loan_pipeline.settings import Settings
from loan_pipeline.sources.open import open_source
from loan_pipeline_tests.helpers import tiny_bank
from loan_pipeline_tests.helpers.mariadb_server import MariaDBServer
from loan_pipeline_tests.helpers.tiny_bank import Changed, awkward_rows, contents

pytestmark = pytest.mark.slow


@pytest.fixture
def bank(mariadb_url: str) -> Bank:
    return open_bank(Settings(database_url=mariadb_url))


@pytest.fixture
def embedded(tmp_path: Path) -> Bank:
    return open_bank(Settings(home=tmp_path / "home"))


@pytest.fixture
def good(tmp_path: Path) -> Source:
    return open_source(str(tiny_bank.write_files(tmp_path / "good")))


def test_both_banks_hold_the_same_rows_from_the_same_source(
    bank: Bank, embedded: Bank, good: Source
) -> None:
    assert bank.fill(good) == embedded.fill(good) == bank.row_counts()
    ours, theirs = contents(bank), contents(embedded)
    for table in TABLES:
        assert ours[table.name].schema == arrow_schema(table)
        assert ours[table.name].equals(theirs[table.name]), table.name
    assert bank.filled_from() == embedded.filled_from() == good.name
    assert bank.exists()
    assert violations(bank) == violations(embedded) == []


def test_both_banks_hold_the_same_sample(bank: Bank, embedded: Bank) -> None:
    sample = open_source("sample:scale=0.05,seed=3")
    assert bank.fill(sample) == embedded.fill(sample)
    theirs = contents(embedded)
    assert all(rows.equals(theirs[name]) for name, rows in contents(bank).items())


def test_a_bank_that_nobody_filled_does_not_exist(bank: Bank) -> None:
    assert not bank.exists()
    assert bank.filled_from() is None
    with pytest.raises(BankError, match=r"Table 'financial.district' doesn't exist.*Fill the bank"):
        bank.row_counts()


def test_the_schema_is_the_contracts(
    bank: Bank, good: Source, mariadb_server: MariaDBServer
) -> None:
    bank.fill(good)
    bank.fill(good)
    with mariadb_server.root("financial") as connection, connection.cursor() as cursor:
        cursor.execute("SHOW TABLES")
        assert {name for (name,) in cursor.fetchall()} == {*TABLES_BY_NAME, "_filled_from"}
        cursor.execute("SHOW CREATE TABLE `order`")
        ddl = cursor.fetchone()[1]
        assert "`amount` decimal(15,2) NOT NULL" in ddl
        assert "PRIMARY KEY (`order_id`)" in ddl
        assert "FOREIGN KEY (`account_id`) REFERENCES `account` (`account_id`)" in ddl
        with pytest.raises(pymysql.IntegrityError, match="foreign key constraint fails"):
            cursor.execute("INSERT INTO card VALUES (9, 99, 'gold', '1998-01-01')")


@pytest.mark.parametrize("local_infile", [True, False])
def test_texts_with_separators_quotes_and_line_breaks_survive(
    bank: Bank, good: Source, mariadb_server: MariaDBServer, local_infile: bool
) -> None:
    with mariadb_server.root() as connection, connection.cursor() as cursor:
        cursor.execute(f"SET GLOBAL local_infile = {local_infile}")
        try:
            bank.fill(Changed(good, TABLES[0], [awkward_rows()]))
        finally:
            cursor.execute("SET GLOBAL local_infile = 1")
    assert contents(bank)["district"].to_batches()[0].equals(awkward_rows())


def test_bad_rows_are_named_and_the_old_bank_stays(
    bank: Bank, good: Source, mariadb_server: MariaDBServer, tmp_path: Path
) -> None:
    bank.fill(good)
    before = contents(bank)

    def refused(name: str, change: object) -> str:
        bent = tiny_bank.tables()
        change(bent)
        with pytest.raises(SourceError) as caught:
            bank.fill(open_source(str(tiny_bank.write_files(tmp_path / name, bent))))
        return str(caught.value)

    def twice(bent: tiny_bank.Tables) -> None:
        bent["loan"].append(bent["loan"][1])

    with mariadb_server.root() as connection, connection.cursor() as cursor:
        cursor.execute("SET GLOBAL local_infile = 0")
        try:
            repeated = [refused("twice", twice)]
        finally:
            cursor.execute("SET GLOBAL local_infile = 1")
    repeated.append(refused("twice", twice))
    for message in repeated:
        assert "loan.loan_id is not unique: 1 row (2 x 10); see " in message
        assert "loan.asc line 2, 4" in message
    orphan = refused("orphan", lambda bent: bent["trans"][3].__setitem__(1, "77"))
    assert "trans.account_id refers to no row of account: 1 row (trans_id 3: 77)" in orphan
    unparsable = refused("date", lambda bent: bent["trans"][5].__setitem__(2, "939999"))
    assert "column date is not a date" in unparsable
    assert "line 6" in unparsable
    owner = refused("owner", lambda bent: bent["disp"][3].__setitem__(3, "OWNER"))
    assert "more than one owner" in owner
    assert all(rows.equals(before[name]) for name, rows in contents(bank).items())
    assert bank.filled_from() == good.name
    with mariadb_server.root("financial") as connection, connection.cursor() as cursor:
        cursor.execute("SHOW TABLES LIKE '\\_filling%'")
        assert cursor.fetchall() == ()


def test_unknown_codes_of_a_detail_are_kept_and_told_with_their_count(
    bank: Bank, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bent = tiny_bank.tables()
    bent["trans"][1][7] = bent["trans"][2][7] = "NOVY"
    bank.fill(open_source(str(tiny_bank.write_files(tmp_path / "novel", bent))))
    assert "POJISTNE, UVER): 2 rows (2 x 'NOVY')" in caplog.text
    [found] = violations(bank)
    assert (found.table, found.column, found.count, found.blocking) == (
        "trans",
        "k_symbol",
        2,
        False,
    )
    assert contents(bank)["trans"]["k_symbol"].to_pylist().count("NOVY") == 2


def test_a_read_sees_one_moment_while_a_fill_replaces_everything(
    bank: MariaDBBank, good: Source, tmp_path: Path
) -> None:
    bank.fill(good)
    more = tiny_bank.tables()
    more["card"].append(["3", "4", "classic", "981231"])
    other = open_source(str(tiny_bank.write_files(tmp_path / "more", more)))
    with bank.reading() as reader:
        filling = threading.Thread(target=bank.fill, args=(other,))
        filling.start()
        filling.join(1.5)  # it waits for us before it renames
        assert filling.is_alive()
        assert [reader.row_count(table) for table in TABLES] == [2, 4, 3, 4, 2, 2, 3, 5]
        assert reader.batches(TABLES_BY_NAME["card"]).read_all().num_rows == 2
    filling.join()
    assert bank.row_counts()["card"] == 3


def test_a_read_goes_through_pages_in_the_order_of_the_key(
    bank: Bank, mariadb_server: MariaDBServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.fill(open_source("sample:scale=0.02,seed=5"))
    whole = contents(bank)["trans"]
    monkeypatch.setattr(mariadb_reader, "_PAGE_ROWS", 1000)
    with mariadb_server.root() as connection, connection.cursor() as cursor:
        cursor.execute("SET GLOBAL max_allowed_packet = 16384")  # some 200 rows
        try:
            with bank.reading() as reader:
                batches = list(reader.batches(TRANS))
        finally:
            cursor.execute("SET GLOBAL max_allowed_packet = 16777216")
    assert max(batch.num_rows for batch in batches) < 1000
    assert pa.Table.from_batches(batches).combine_chunks().equals(whole.combine_chunks())
    keys = whole["trans_id"].to_pylist()
    assert keys == sorted(keys)


def test_a_system_of_record_is_read_but_never_written(
    bank: Bank, good: Source, mariadb_url: str
) -> None:
    bank.fill(good)
    theirs = open_bank(Settings(database_url=mariadb_url, bank_managed=False))
    assert theirs.row_counts()["loan"] == 2
    with pytest.raises(BankError, match="LOAN_BANK_MANAGED=false"):
        theirs.fill(good)


def test_a_foreign_schema_is_read_as_the_contract_and_its_faults_are_reported(
    bank: Bank, good: Source, embedded: Bank, mariadb_server: MariaDBServer
) -> None:
    bank.fill(good)
    embedded.fill(good)
    with mariadb_server.root("financial") as connection, connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        for statement in (
            "ALTER TABLE card MODIFY issued DATETIME, MODIFY type ENUM('junior', 'gold')",
            "ALTER TABLE trans MODIFY k_symbol CHAR(11), CONVERT TO CHARACTER SET latin2",
            "ALTER TABLE `order` MODIFY k_symbol CHAR(8)",  # CHAR loses the blank
            "ALTER TABLE trans MODIFY amount DECIMAL(12,4)",
        ):
            cursor.execute(statement)
        rows = contents(embedded)
        blank = rows["trans"]["k_symbol"].to_pylist()
        rows["trans"] = rows["trans"].set_column(
            7, "k_symbol", pa.array([None if text == " " else text for text in blank], pa.string())
        )
        for name, table in contents(bank).items():
            assert table.equals(rows[name]), name
        # DATETIME is no DATE: the contract's asset check says so.
        assert [str(found) for found in violations(bank)] == [
            "card.issued is DATETIME, which is not of kind date"
        ]
        for statement in (
            "ALTER TABLE card MODIFY issued DATE",
            "ALTER TABLE loan MODIFY status VARCHAR(5), DROP PRIMARY KEY",
            "UPDATE loan SET status = 'a' WHERE loan_id = 10",
            "INSERT INTO loan SELECT * FROM loan WHERE loan_id = 11",
            "UPDATE loan SET account_id = 99 WHERE loan_id = 10",
            "ALTER TABLE client MODIFY birth_date DATE NULL",
            "UPDATE client SET birth_date = NULL WHERE client_id IN (1, 2)",
            "ALTER TABLE disp DROP COLUMN type",
        ):
            cursor.execute(statement)
    assert sorted(str(found) for found in violations(bank)) == [
        "client.birth_date is empty: 2 rows (client_id 1: None, client_id 2: None)",
        "disp.type the column is missing",
        "loan.account_id has no transaction before the loan was granted: 1 row (loan_id 10)",
        "loan.account_id refers to no row of account: 1 row (loan_id 10: 99)",
        "loan.loan_id is not unique: 1 row (2 x 11)",
        "loan.status is not a known code (known: A, B, C, D): 1 row (1 x 'a')",
    ]
    with bank.reading() as reader:
        with pytest.raises(BankError, match="table disp lacks columns type"):
            reader.batches(TABLES_BY_NAME["disp"]).read_all()
        with pytest.raises(BankError, match=r"column birth_date.*client_id 1"):
            reader.batches(TABLES_BY_NAME["client"]).read_all()


def test_rows_that_share_a_key_are_never_lost_silently(
    bank: Bank, good: Source, mariadb_server: MariaDBServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.fill(good)
    with mariadb_server.root("financial") as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE trans DROP PRIMARY KEY")
        cursor.execute("UPDATE trans SET trans_id = 1")
    monkeypatch.setattr(mariadb_reader, "_PAGE_ROWS", 2)
    with bank.reading() as reader, pytest.raises(BankError, match="5 rows, but only 2"):
        reader.batches(TRANS).read_all()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgres://u:secret@host/db", "must name a scheme"),
        ("mysql://host/db", "user, host and database"),
        ("mysql://u:secret@host", "user, host and database"),
        ("mysql://u:secret@host:port/db", "not well formed"),
        ("mysql://u:secret@host/db?ssl_verify_cert=false", "unknown options: ssl_verify_cert"),
        ("mysql://u:secret@host/db?ssl=maybe", "must be true or false"),
    ],
)
def test_an_odd_url_is_refused_without_repeating_its_password(url: str, told: str) -> None:
    with pytest.raises(BankError, match=told) as caught:
        open_bank(Settings(database_url=url))
    assert "secret" not in str(caught.value)


def test_the_password_stays_out_of_names_and_reprs() -> None:
    address = parse_address("mysql+pymysql://u:s%2Fcret@host:3307/db?ssl_ca=/x.pem", bastion="b")
    assert (address.password, address.port, address.tls) == ("s/cret", 3307, True)
    assert "cret" not in repr(address) + address.name + repr(replace(address, host="other"))
    assert address.name == "MariaDB db at host:3307 through b"
