"""What goes wrong with a real MariaDB server, and that the previous content survives it."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from loan_pipeline.bank.errors import BankConnectionLost, BankError, BankUnreachable
from loan_pipeline.bank.mariadb import connection as connection_module
from loan_pipeline.bank.mariadb.address import Address, parse_address
from loan_pipeline.bank.mariadb.connection import connected
from loan_pipeline.bank.mariadb.database import MariaDBBank
from loan_pipeline.bank.protocol import Source
from loan_pipeline.contracts.tables import TABLES, TRANS, Table
from loan_pipeline.quality.tables import violations
from loan_pipeline.sources.open import open_source
from loan_pipeline_tests.helpers import tiny_bank
from loan_pipeline_tests.helpers.certificates import certificate
from loan_pipeline_tests.helpers.mariadb_server import MariaDBServer
from loan_pipeline_tests.helpers.tiny_bank import contents

pytestmark = pytest.mark.slow


@pytest.fixture
def good(tmp_path: Path) -> Source:
    return open_source(str(tiny_bank.write_files(tmp_path / "good")))


@pytest.fixture
def address(frail: MariaDBServer) -> Address:
    return parse_address(frail.new_database("financial"))


@pytest.fixture
def bank(address: Address, good: Source) -> MariaDBBank:
    bank = MariaDBBank(address)
    bank.fill(good)
    return bank


class Interrupted:
    """A source that lets something happen in the middle of the transactions, a number of times."""

    name = "interrupted source"

    def __init__(self, source: Source, happening, times: int = 1) -> None:
        self._source, self._happening, self.left = source, happening, times

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        for batch in self._source.batches(table):
            yield batch.slice(0, 2)
            if table == TRANS and self.left:
                self.left -= 1
                self._happening()
            yield batch.slice(2)


def assert_as_before(bank: MariaDBBank, before: dict[str, pa.Table]) -> None:
    assert all(rows.equals(before[name]) for name, rows in contents(bank).items())


def test_a_wrong_password_is_told_at_once_and_not_repeated(address: Address) -> None:
    started = time.monotonic()
    with pytest.raises(BankUnreachable, match=r"Access denied.*Check user and password") as caught:
        MariaDBBank(replace(address, password="s3cret")).row_counts()
    assert "s3cret" not in str(caught.value)
    assert time.monotonic() - started < 2


def test_a_database_that_does_not_exist_is_named(address: Address) -> None:
    with pytest.raises(BankUnreachable, match=r"elsewhere.*(Grant|Create)"):
        MariaDBBank(replace(address, database="elsewhere")).exists()


def test_an_unknown_host_is_named_at_once() -> None:
    with pytest.raises(BankUnreachable, match=r"no host bank.invalid"):
        MariaDBBank(parse_address("mysql://u:p@bank.invalid/financial")).exists()


def test_a_server_that_is_not_there_is_tried_again_then_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    sleep, here = time.sleep, threading.get_ident()

    def note(seconds: float) -> None:
        if threading.get_ident() != here:  # of a library's thread
            sleep(seconds)
        else:
            pauses.append(seconds)

    monkeypatch.setattr(time, "sleep", note)
    with pytest.raises(BankUnreachable, match=r"127.0.0.1:1 .*refused.*attempts: 4"):
        MariaDBBank(parse_address("mysql://u:p@127.0.0.1:1/financial")).exists()
    assert pauses == [0.5, 1.0, 2.0]


def test_a_server_that_never_greets_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"mysql://u:p@127.0.0.1:{silent.getsockname()[1]}/financial"
        address = replace(parse_address(url), connect_seconds=1, attempts=1)
        started = time.monotonic()
        with pytest.raises(BankUnreachable, match="does not answer"):
            MariaDBBank(address).exists()
    assert time.monotonic() - started < 5


def test_tls_with_the_right_authority_encrypts(frail: MariaDBServer, tls_authority: Path) -> None:
    url = frail.new_database("encrypted") + f"?ssl_ca={tls_authority}"
    with connected(parse_address(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
        assert cursor.fetchone()[1]


def test_tls_with_another_authority_is_refused(frail: MariaDBServer, tmp_path: Path) -> None:
    other = certificate(tmp_path / "other")
    for query in ("ssl=true", f"ssl_ca={other}"):
        url = frail.new_database("encrypted") + "?" + query
        with pytest.raises(BankUnreachable, match=r"not to be trusted.*global-bundle.pem"):
            MariaDBBank(parse_address(url)).exists()


def test_tls_that_the_server_does_not_offer_is_refused(mariadb_url: str, tmp_path: Path) -> None:
    authority = certificate(tmp_path / "any")
    with pytest.raises(BankUnreachable, match=r"TLS was asked for, so nothing was sent"):
        MariaDBBank(parse_address(f"{mariadb_url}?ssl_ca={authority}")).exists()


def test_an_authority_file_that_is_missing_is_named() -> None:
    with pytest.raises(BankError, match=r"ssl_ca is /no/where.pem"):
        MariaDBBank(parse_address("mysql://u:p@h/d?ssl_ca=/no/where.pem")).exists()


def test_a_missing_table_and_a_missing_column_are_named(
    bank: MariaDBBank, frail: MariaDBServer
) -> None:
    with frail.root("financial") as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE loan DROP COLUMN duration")
        with (
            bank.reading() as reader,
            pytest.raises(BankError, match="loan lacks columns duration"),
        ):
            reader.batches(next(t for t in TABLES if t.name == "loan")).read_all()
        cursor.execute("SET foreign_key_checks = 0")
        cursor.execute("DROP TABLE card, account")
    with pytest.raises(BankError, match=r"financial\.account' doesn't exist"):
        bank.row_counts()
    assert [str(found) for found in violations(bank)] == [
        "account.* the table is missing",
        "card.* the table is missing",
        "loan.duration the column is missing",
    ]
    assert not bank.exists()


def test_a_fill_starts_over_when_its_connection_is_lost(
    bank: MariaDBBank, good: Source, frail: MariaDBServer
) -> None:
    source = Interrupted(good, frail.kill_connections)
    before = contents(bank)
    bank.fill(source)
    assert source.left == 0
    assert bank.filled_from() == "interrupted source"
    assert_as_before(bank, before)


def test_a_server_killed_in_a_fill_that_comes_back_is_filled(
    bank: MariaDBBank, good: Source, frail: MariaDBServer
) -> None:
    def crash() -> None:
        frail.kill()
        threading.Thread(target=frail.start).start()

    before = contents(bank)
    bank.fill(Interrupted(good, crash))
    assert bank.filled_from() == "interrupted source"
    assert_as_before(bank, before)


def test_a_server_killed_in_a_fill_has_its_old_content_when_it_is_back(
    bank: MariaDBBank, good: Source, frail: MariaDBServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(bank)
    monkeypatch.setattr(connection_module, "_SECONDS_BEFORE_RETRY", 0.01)
    try:
        with pytest.raises(BankUnreachable, match="does not answer"):
            bank.fill(Interrupted(good, frail.kill))
    finally:
        frail.start()
    assert_as_before(bank, before)
    assert bank.filled_from() == good.name
    bank.fill(good)
    with frail.root("financial") as connection, connection.cursor() as cursor:
        cursor.execute("SHOW TABLES LIKE '\\_filling%'")
        assert cursor.fetchall() == (), "the next fill tidies up"


def test_a_server_killed_in_a_read_is_told_and_the_next_read_succeeds(
    bank: MariaDBBank, frail: MariaDBServer
) -> None:
    def read_while_the_server_dies() -> None:
        with bank.reading() as reader:
            batches = reader.batches(TRANS)
            frail.kill()
            frail.start()
            batches.read_all()

    before = contents(bank)
    with pytest.raises(BankConnectionLost, match=r"was lost.*try again"):
        read_while_the_server_dies()
    assert_as_before(bank, before)


def test_a_full_disk_leaves_the_old_bank(bank: MariaDBBank, good: Source) -> None:
    before = contents(bank)
    with pytest.raises(BankError, match=r"is full.*Free space"):
        bank.fill(open_source("sample:scale=0.5,seed=1"))
    assert_as_before(bank, before)
    assert bank.filled_from() == good.name
    bank.fill(good)


def test_tables_that_somebody_holds_are_waited_for_then_left(
    address: Address, bank: MariaDBBank, good: Source, frail: MariaDBServer
) -> None:
    before = contents(bank)
    with frail.root("financial") as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLES loan READ")
        started = time.monotonic()
        with pytest.raises(BankError, match=r"Lock wait timeout.*Somebody else holds the tables"):
            MariaDBBank(address, lock_seconds=1).fill(Interrupted(good, lambda: None))
        assert time.monotonic() - started < 20
    assert_as_before(bank, before)
    assert bank.filled_from() == good.name


def test_two_fills_at_once_are_one_fill_and_one_message(bank: MariaDBBank, good: Source) -> None:
    problems: list[str] = []

    def second() -> None:
        try:
            bank.fill(good)
        except BankError as error:
            problems.append(str(error))

    bank.fill(Interrupted(good, second))
    assert problems == [
        f"{bank.name} is being filled by another process. Wait until that is done, then fill again."
    ]
    assert bank.filled_from() == "interrupted source"
