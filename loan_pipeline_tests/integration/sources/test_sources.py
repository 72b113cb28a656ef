"""Dumps and other servers as sources of either bank."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from loan_pipeline.bank.errors import BankConnectionLost, SourceError
from loan_pipeline.bank.mariadb.address import parse_address
from loan_pipeline.bank.open import open_bank
from loan_pipeline.bank.protocol import Bank
from loan_pipeline.contracts.tables import TABLES, Table
from loan_pipeline.settings import Settings
from loan_pipeline.sources import dump_sql
from loan_pipeline.sources import server as server_source
from loan_pipeline.sources.open import open_source
from loan_pipeline.sources.server import ServerSource
from loan_pipeline_tests.helpers import tiny_bank
from loan_pipeline_tests.helpers.mariadb_server import MariaDBServer
from loan_pipeline_tests.helpers.tiny_bank import Changed, awkward_rows, contents


@pytest.fixture
def embedded(tmp_path: Path) -> Bank:
    return open_bank(Settings(home=tmp_path / "home"))


@pytest.fixture
def filled(mariadb_server: MariaDBServer, tmp_path: Path) -> Bank:
    """A bank on the server with texts that dumps must escape."""
    bank = open_bank(Settings(database_url=mariadb_server.new_database("original")))
    good = open_source(str(tiny_bank.write_files(tmp_path / "good")))
    bank.fill(Changed(good, TABLES[0], [awkward_rows()]))
    return bank


def dumped(server: MariaDBServer, program: str, *options: str) -> bytes:
    socket = f"--socket={server.folder / 's'}"
    command = [program, "--no-defaults", "--user=root", socket, *options, "original"]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "options"),
    [
        ("mariadb-dump", ()),
        ("mysqldump", ("--databases",)),
        ("mysqldump", ("--skip-extended-insert", "--complete-insert", "--skip-quote-names")),
        ("mysqldump", ("--replace", "--hex-blob", "--order-by-primary", "--triggers")),
        ("mysqldump", ("--insert-ignore", "--compact", "--net-buffer-length=4096")),
    ],
)
def test_a_dump_of_either_tool_gives_the_same_bank(
    filled: Bank,
    embedded: Bank,
    mariadb_server: MariaDBServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    options: tuple[str, ...],
) -> None:
    monkeypatch.setattr(dump_sql, "_BLOCK_BYTES", 700)  # statements fall apart between blocks
    (tmp_path / "bank.sql").write_bytes(dumped(mariadb_server, program, *options))
    source = open_source(str(tmp_path / "bank.sql"))
    embedded.fill(source)
    before = contents(filled)
    assert all(rows.equals(before[name]) for name, rows in contents(embedded).items())


@pytest.mark.slow
def test_a_dump_fills_mariadb_as_well(
    filled: Bank, mariadb_server: MariaDBServer, mariadb_url: str, tmp_path: Path
) -> None:
    (tmp_path / "bank.sql").write_bytes(dumped(mariadb_server, "mariadb-dump"))
    bank = open_bank(Settings(database_url=mariadb_url))
    bank.fill(open_source(str(tmp_path / "bank.sql")))
    before = contents(filled)
    assert all(rows.equals(before[name]) for name, rows in contents(bank).items())
    assert bank.filled_from() == f"dump {tmp_path / 'bank.sql'}"


@pytest.mark.slow
def test_another_server_fills_either_bank(
    filled: Bank,
    embedded: Bank,
    mariadb_server: MariaDBServer,
    mariadb_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BANK_SOURCE", mariadb_url.replace("/financial", "/original"))
    before = contents(filled)
    for bank in (embedded, open_bank(Settings(database_url=mariadb_url))):
        bank.fill(open_source("env:BANK_SOURCE"))
        assert all(rows.equals(before[name]) for name, rows in contents(bank).items())
        assert bank.filled_from() == f"MariaDB original at 127.0.0.1:{mariadb_server.port}"


@pytest.mark.slow
def test_a_bank_can_be_filled_from_itself(
    filled: Bank, mariadb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(filled)
    monkeypatch.setenv("BANK_SOURCE", mariadb_url.replace("/financial", "/original"))
    filled.fill(open_source("env:BANK_SOURCE"))
    assert all(rows.equals(before[name]) for name, rows in contents(filled).items())


class CutOff(ServerSource):
    """A source whose connection is cut once, in the middle."""

    server: MariaDBServer
    cut = False

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        if table == TABLES[-1] and not self.cut:
            self.cut = True
            self.server.kill_connections()
        return super().batches(table)


@pytest.mark.slow
def test_a_source_that_is_cut_off_is_named_and_read_again(
    filled: Bank,
    embedded: Bank,
    mariadb_server: MariaDBServer,
    mariadb_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    address = parse_address(mariadb_url.replace("/financial", "/original"))
    source = CutOff(address)
    source.server = mariadb_server
    with pytest.raises(BankConnectionLost, match=f"connection to {address.name} was lost"):
        embedded.fill(source)
    assert not embedded.exists()
    embedded.fill(source)
    before = contents(filled)
    assert all(rows.equals(before[name]) for name, rows in contents(embedded).items())

    source.cut = False
    bank = open_bank(Settings(database_url=mariadb_url))
    bank.fill(source)
    assert "Starting the fill over" in caplog.text
    assert all(rows.equals(before[name]) for name, rows in contents(bank).items())


def test_the_public_server_gives_up_early_and_names_the_alternatives(
    embedded: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    monkeypatch.setattr(server_source, "CTU", replace(server_source.CTU, host="ctu.invalid"))
    with pytest.raises(SourceError, match=r"no host ctu.invalid.*--source sample.*\.sql dump"):
        embedded.fill(open_source("ctu"))
    assert server_source.CTU.connect_seconds <= 5
    assert server_source.CTU.attempts == 1


def workbench(bank: tiny_bank.Tables) -> dict[str, str]:
    """One script a table, as Workbench writes a project folder or a forward-engineered script."""
    scripts = {}
    for name, rows in bank.items():
        values = ", ".join(
            "(" + ", ".join(f"'{cell}'" if cell else "NULL" for cell in row) + ")"
            for row in rows[1:]
        )
        columns = ", ".join(f"`{column}`" for column in rows[0])
        scripts[name] = (
            f"-- it's a script; for {name}\nUSE `financial` ;\n/* one; \n two */\n"
            f"CREATE TABLE IF NOT EXISTS `financial`.`{name}` (\n  `{rows[0][0]}` INT NOT NULL "
            "COMMENT 'a; b, (c',\n  PRIMARY KEY (`x`))\nENGINE = InnoDB;\n\n# data\n"
            f"INSERT INTO `financial`.`{name}` ({columns}) VALUES {values};\nCOMMIT;\n"
        )
    return scripts


def sql_bank() -> tiny_bank.Tables:
    """The small bank with the contract's own columns."""
    bank = tiny_bank.tables()
    bank["district"][0][0] = "district_id"
    bank["district"][2] = [cell.replace("?", "") for cell in bank["district"][2]]
    return bank


@pytest.mark.parametrize("folder", [True, False])
def test_workbenchs_scripts_give_the_bank_that_the_files_give(
    embedded: Bank, tmp_path: Path, folder: bool
) -> None:
    embedded.fill(open_source(str(tiny_bank.write_files(tmp_path / "good"))))
    before = contents(embedded)
    scripts = workbench(sql_bank())
    target = tmp_path / "dump"
    if folder:
        target.mkdir()
        for name, script in scripts.items():
            (target / f"financial_{name}.sql").write_text(script)
    else:
        target = target.with_suffix(".sql")
        target.write_text("".join(scripts.values()))
    embedded.fill(open_source(str(target)))
    assert all(rows.equals(before[name]) for name, rows in contents(embedded).items())


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("'940105'", "'94010x'", r"loan: column date is not a date.*row 1, loan_id 10: '94010x'"),
        ("('10', '1',", "((SELECT 10), '1',", "loan: an INSERT holds more than literal values"),
        ("`payments`, ", "", "table loan lacks column payments"),
        ("INTO `financial`.`loan`", "INTO `financial`.`lone`", "loan.loan_id the table is empty"),
        (
            "COMMIT;\n-- it's a script; for trans",
            "INSERT INTO `trans` VALUES ('",
            "breaks off within",
        ),
        ("'2523.00', 'B'", "'2523.00'", "table loan, cannot be read"),
    ],
)
def test_a_bad_dump_is_refused_with_the_place(
    embedded: Bank, tmp_path: Path, before: str, after: str, told: str
) -> None:
    script = "".join(workbench(sql_bank()).values())
    assert before in script
    (tmp_path / "bent.sql").write_text(script.replace(before, after))
    with pytest.raises(SourceError, match=told):
        embedded.fill(open_source(str(tmp_path / "bent.sql")))
    assert not embedded.exists()


@pytest.mark.slow
def test_nothing_but_rows_of_the_eight_tables_is_taken_from_a_dump(
    filled: Bank, mariadb_server: MariaDBServer, tmp_path: Path
) -> None:
    evil = "DROP DATABASE `original`;\nGRANT ALL ON *.* TO 'bank'@'%';\n"
    evil += "INSERT INTO `mysql`.`user` VALUES ('%','root');\n"
    (tmp_path / "evil.sql").write_text(evil + "".join(workbench(sql_bank()).values()))
    filled.fill(open_source(str(tmp_path / "evil.sql")))
    with mariadb_server.root("original") as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GRANTS FOR 'bank'@'%'")
        assert not any("ON *.* TO" in row and "ALL" in row for (row,) in cursor.fetchall())
    assert contents(filled)["loan"]["loan_id"].equals(pa.chunked_array([[10, 11]]))
