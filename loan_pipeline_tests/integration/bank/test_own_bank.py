"""`docs/your-own-bank.md`, step by step, against a bank of another schema on a real server."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pymysql
import pytest
from click.testing import CliRunner

from loan_pipeline.bank.check import check_bank
from loan_pipeline.bank.open import open_bank
from loan_pipeline.bank.views import views_skeleton
from loan_pipeline.cli import main
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.settings import Settings
from loan_pipeline.sources.open import open_source
from loan_pipeline_tests.helpers import borrowers_bank, tiny_bank
from loan_pipeline_tests.helpers.mariadb_server import MariaDBServer

PAGE = (Path(__file__).parents[3] / "docs" / "your-own-bank.md").read_text()

# The bank of the page, from a bank in the contract's shape: other names, types and codes.
CORE = """
CREATE TABLE core.region (PRIMARY KEY (id)) AS SELECT district_id AS id, A2 AS title, A3 AS county,
  CAST(A4 AS DOUBLE) AS inhabitants, A5 AS hamlets, A6 AS villages, A7 AS small_towns,
  A8 AS large_towns, A9 AS cities, CAST(A10 AS DOUBLE) AS urban, CAST(A11 AS DECIMAL(20,4)) AS wage,
  REPLACE(CAST(A12 AS CHAR), '.', ',') AS jobless_95,
  REPLACE(CAST(A13 AS CHAR), '.', ',') AS jobless_96, A14 AS entrepreneurs, A15 AS crimes_95,
  A16 AS crimes_96 FROM origin.district;
CREATE TABLE core.person (PRIMARY KEY (person_no)) AS SELECT client_id AS person_no,
  IF(gender = 'M', 1, 2) AS sex, CAST(birth_date AS DATETIME) AS born, district_id AS region_id
  FROM origin.client;
CREATE TABLE core.current_account (PRIMARY KEY (account_no)) AS SELECT account_id AS account_no,
  district_id AS region_id, CASE frequency WHEN 'POPLATEK MESICNE' THEN 'M'
  WHEN 'POPLATEK TYDNE' THEN 'W' ELSE 'T' END AS statement, CAST(date AS DATETIME) AS opened
  FROM origin.account;
CREATE TABLE core.mandate (PRIMARY KEY (mandate_no)) AS SELECT disp_id AS mandate_no,
  client_id AS person_no, account_id AS account_no, IF(type = 'OWNER', 1, 2) AS role
  FROM origin.disp;
CREATE TABLE core.credit_card (PRIMARY KEY (card_no)) AS SELECT card_id AS card_no,
  disp_id AS mandate_no, CASE type WHEN 'junior' THEN 'young' WHEN 'classic' THEN 'standard'
  ELSE 'premium' END AS grade, issued AS issued_on FROM origin.card;
CREATE TABLE core.credit (PRIMARY KEY (credit_no)) AS SELECT loan_id AS credit_no,
  account_id AS account_no, date AS granted, CAST(amount AS DECIMAL(20,4)) AS principal,
  CAST(duration AS INT) AS months, CAST(payments AS DOUBLE) AS instalment,
  CASE status WHEN 'A' THEN 'repaid' WHEN 'B' THEN 'defaulted' WHEN 'C' THEN 'current'
  ELSE 'late' END AS outcome FROM origin.loan;
CREATE TABLE core.standing_order (PRIMARY KEY (order_no)) AS SELECT order_id AS order_no,
  account_id AS account_no, CONCAT(bank_to, 'ZZDEFFXXX') AS bank_code, account_to AS recipient,
  CAST(amount AS DOUBLE) AS amount, CASE k_symbol WHEN 'SIPO' THEN 'household' WHEN 'UVER' THEN
  'loan' WHEN 'POJISTNE' THEN 'insurance' WHEN 'LEASING' THEN 'leasing' END AS purpose
  FROM origin.`order`;
CREATE TABLE core.booking (PRIMARY KEY (booking_no), KEY (account_no)) AS SELECT
  trans_id AS booking_no, account_id AS account_no, date AS booked_on,
  CASE type WHEN 'PRIJEM' THEN 'in' WHEN 'VYDAJ' THEN 'out' ELSE 'teller' END AS direction,
  CASE operation WHEN 'VKLAD' THEN 'cash in' WHEN 'PREVOD Z UCTU' THEN 'transfer in' WHEN 'VYBER'
  THEN 'cash out' WHEN 'PREVOD NA UCET' THEN 'transfer out' WHEN 'VYBER KARTOU' THEN 'card' END
  AS channel, CAST(amount AS DECIMAL(20,4)) AS amount, CAST(balance AS DOUBLE) AS balance,
  CASE k_symbol WHEN 'UROK' THEN 'interest' WHEN 'SANKC. UROK' THEN 'penalty' WHEN 'SLUZBY' THEN
  'fee' WHEN 'SIPO' THEN 'household' WHEN 'DUCHOD' THEN 'pension' WHEN 'POJISTNE' THEN 'insurance'
  WHEN 'UVER' THEN 'loan' END AS purpose, bank AS other_bank, account AS other_account
  FROM origin.trans;
"""


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def run_sql(server: MariaDBServer, script: str) -> None:
    with server.root() as connection, connection.cursor() as cursor:
        for statement in script.split(";\n"):
            if statement.strip():
                cursor.execute(statement)


def foreign_bank(server: MariaDBServer, source: str) -> None:
    """The bank of the page on the server, with the rows of a source."""
    open_bank(Settings(database_url=server.new_database("origin"))).fill(open_source(source))
    server.new_database("core")
    run_sql(server, CORE)


def settings_of_the_page(server: MariaDBServer) -> dict[str, str]:
    [text] = blocks("ini")
    text = text.replace("HOST:3306", f"127.0.0.1:{server.port}")
    return dict(line.split("=", 1) for line in text.splitlines() if line)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_page_leads_from_a_foreign_schema_to_a_release(
    mariadb_server: MariaDBServer, tmp_path: Path
) -> None:
    foreign_bank(mariadb_server, str(borrowers_bank.write_files(tmp_path / "files", scale=0.5)))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LOAN_")},
        **settings_of_the_page(mariadb_server),
        "LOAN_ENV_FILE": "",
        "LOAN_ROLLING_CUTS": "0",
        "LOAN_HOME": str(tmp_path / "home"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    environment.pop("DAGSTER_HOME", None)

    def shell(command: str) -> str:
        done = subprocess.run(
            ["sh", "-c", command], env=environment, cwd=tmp_path, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    views, check, run = blocks("sh")
    shell(views)
    skeleton = (tmp_path / "views.sql").read_text()
    assert "monthly payment, EUR" in skeleton
    assert "CZK" not in skeleton
    for script in blocks("sql"):
        run_sql(mariadb_server, script)
    assert "Every column fits." in shell(check)
    assert "recipe quick" in shell(run)
    with pytest.raises(pymysql.MySQLError), mariadb_server.root("loan_views") as connection:
        connection.cursor().execute("SELECT 1 FROM `_filled_from`")  # nothing was written


@pytest.fixture
def viewed(mariadb_server: MariaDBServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small bank behind the page's views, and the page's settings."""
    foreign_bank(mariadb_server, str(tiny_bank.write_files(tmp_path / "files")))
    for script in blocks("sql"):
        run_sql(mariadb_server, script)
    monkeypatch.setenv("LOAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOAN_ENV_FILE", "")
    for name, value in settings_of_the_page(mariadb_server).items():
        monkeypatch.setenv(name, value)


def checked() -> tuple[int, Any, str]:
    """The check's exit code, its columns by table and name, and what people see."""
    runner = CliRunner()
    as_json = runner.invoke(main, ["bank", "check", "--json"])
    found = json.loads(as_json.output)
    columns = {
        table["table"]: {column["name"]: column for column in table["columns"]}
        for table in found["tables"]
    }
    shown = runner.invoke(main, ["bank", "check"])
    assert shown.exit_code == as_json.exit_code
    assert found["fits"] is (as_json.exit_code == 0)
    return as_json.exit_code, columns, shown.output


@pytest.mark.slow
@pytest.mark.usefixtures("viewed")
def test_the_check_finds_what_fits_and_what_does_not(mariadb_server: MariaDBServer) -> None:
    code, columns, shown = checked()
    assert code == 0, shown
    assert set(columns) == {table.name for table in TABLES}
    assert columns["loan"]["status"]["codes"] == {"'A'": 1, "'B'": 1}
    assert "5 rows, newest 1996-04-28" in shown

    for statement in (
        (
            "CREATE OR REPLACE VIEW client AS SELECT person_no AS client_id, sex AS gender, "
            "born AS birth_date, region_id AS district_id FROM core.person"
        ),
        (
            "CREATE OR REPLACE VIEW account AS SELECT account_no AS account_id, "
            "region_id AS district_id, statement AS frequency, CAST(opened AS DATE) AS date "
            "FROM core.current_account"
        ),
        "CREATE OR REPLACE VIEW card AS SELECT card_no AS card_id FROM core.credit_card",
        "UPDATE core.credit SET instalment = 3373.005, principal = 80952.5 WHERE credit_no = 10",
        (
            "CREATE OR REPLACE VIEW loan AS SELECT credit_no AS loan_id, account_no AS account_id, "
            "granted AS date, principal AS amount, months AS duration, instalment AS payments, "
            "'A' AS status FROM core.credit"
        ),
        "DROP VIEW `order`",
    ):
        run_sql(mariadb_server, f"USE loan_views;\n{statement}")
    code, columns, shown = checked()
    assert code == 1

    def problem(table: str, column: str) -> str:
        return "; ".join(str(text) for text in columns[table][column]["problems"])

    assert "write CAST(birth_date AS DATE)" in problem("client", "birth_date")
    assert "write CAST(gender AS CHAR(1))" in problem("client", "gender")
    assert "known: POPLATEK MESICNE" in problem("account", "frequency")
    assert "write CASE frequency WHEN" in problem("account", "frequency")
    assert problem("card", "issued") == "is missing"
    assert "is not a whole number: 1 row" in problem("loan", "amount")
    assert "write ROUND(payments, 2)" in problem("loan", "payments")
    assert problem("order", "amount") == "there is no table or view order"
    assert "Some columns do not fit" in shown


@pytest.mark.slow
def test_whole_and_floating_amounts_of_a_bank_that_is_only_read_fit(
    mariadb_server: MariaDBServer, tmp_path: Path
) -> None:
    url = mariadb_server.new_database("whole")
    bank = tiny_bank.tables()
    for row in bank["trans"][1:]:
        row[5:7] = [text.partition(".")[0] for text in row[5:7]]
    open_bank(Settings(database_url=url)).fill(
        open_source(str(tiny_bank.write_files(tmp_path / "files", bank)))
    )
    run_sql(
        mariadb_server,
        "USE whole;\nALTER TABLE trans MODIFY amount INT NOT NULL, MODIFY balance BIGINT NOT NULL, "
        "MODIFY account INT UNSIGNED;\n"
        "ALTER TABLE `order` MODIFY amount DOUBLE NOT NULL;\n"
        "ALTER TABLE loan MODIFY payments DECIMAL(30,8) NOT NULL, MODIFY amount DECIMAL(12,3)",
    )
    observed = open_bank(Settings(database_url=url, bank_managed=False))
    assert [check.name for check in check_bank(observed) if not check.fits] == []
    rows = tiny_bank.contents(observed)
    assert [str(value) for value in rows["trans"]["amount"].to_pylist()][:2] == ["1000.00", "3.00"]
    assert str(rows["order"]["amount"].to_pylist()[1]) == "3372.70"
    assert str(rows["loan"]["payments"].to_pylist()[0]) == "3373.00"
    assert rows["loan"]["amount"].to_pylist() == [80952, 30276]


def test_the_skeleton_explains_every_column_of_the_contract() -> None:
    skeleton = views_skeleton("EUR")
    for table in TABLES:
        assert f"CREATE OR REPLACE VIEW `{table.name}`" in skeleton
        for column in table.columns:
            assert f"AS `{column.name}`" in skeleton
            assert all(f"'{code}'" in skeleton for code in column.codes)
