"""The deployment page's own commands: a login for the pipeline; a bank and a lake restored."""

import os
import shutil
import subprocess
from pathlib import Path

import pymysql
import pytest

from loan_pipeline.bank.open import open_bank
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.scoring.release import load_latest
from loan_pipeline.settings import Settings
from loan_pipeline.sources.open import open_source
from loan_pipeline_tests.helpers import tiny_bank
from loan_pipeline_tests.helpers.bundles import release_bundle
from loan_pipeline_tests.helpers.deployment_page import blocks
from loan_pipeline_tests.helpers.mariadb_server import MariaDBServer
from loan_pipeline_tests.helpers.tiny_bank import contents

pytestmark = pytest.mark.slow

_ACCOUNT = {"account_id": 1787, "amount": 96_000, "duration": 24}


def _commands(test: str) -> list[str]:
    return [block.text for block in blocks() if block.executed_by.endswith(f"::{test}")]


def _filled(server: MariaDBServer, folder: Path) -> str:
    url = server.new_database("financial")
    open_bank(Settings(database_url=url)).fill(open_source(str(tiny_bank.write_files(folder))))
    return url


def test_the_pipelines_login_reads_by_tls_alone(
    frail: MariaDBServer, tls_authority: Path, tmp_path: Path
) -> None:
    url = _filled(frail, tmp_path / "files")
    [sql] = _commands("test_the_pipelines_login_reads_by_tls_alone")
    with frail.root() as connection, connection.cursor() as cursor:
        cursor.execute("DROP USER IF EXISTS 'pipeline'@'%'")
        for statement in filter(str.strip, sql.split(";")):
            cursor.execute(statement)
    login = {
        "host": "127.0.0.1", "port": frail.port, "user": "pipeline", "database": "financial",
        "password": "the-password-in-the-secret",
    }  # fmt: skip
    with pytest.raises(pymysql.MySQLError, match="Access denied"):
        pymysql.connect(**login, ssl_disabled=True)
    with (
        pymysql.connect(**login, ssl_ca=str(tls_authority)) as connection,
        connection.cursor() as cursor,
        pytest.raises(pymysql.MySQLError, match="DELETE command denied"),
    ):
        cursor.execute("DELETE FROM loan")
    read_only = (
        "mysql+pymysql://pipeline:the-password-in-the-secret"
        f"@127.0.0.1:{frail.port}/financial?ssl_ca={tls_authority}"
    )
    bank = open_bank(Settings(database_url=read_only, bank_managed=False))
    assert bank.row_counts() == open_bank(Settings(database_url=url)).row_counts()
    assert contents(bank)["loan"].num_rows == bank.row_counts()["loan"]


def test_a_bank_and_a_lake_come_back_from_their_backups(
    mariadb_server: MariaDBServer, tmp_path: Path
) -> None:
    if shutil.which("mariadb-dump") is None:
        pytest.skip("mariadb-dump is not installed (Debian: apt-get install mariadb-client)")
    url = _filled(mariadb_server, tmp_path / "files")
    restored_url = mariadb_server.new_database("restored")
    release_bundle(tmp_path / "lake", "behavioural")
    login = tmp_path / "login.cnf"
    login.write_text(
        f"[client]\nhost=127.0.0.1\nport={mariadb_server.port}\nuser={mariadb_server.user}\n"
        f'password="{mariadb_server.password}"\n'
    )
    environment = {
        "PATH": os.environ["PATH"], "BANK_LOGIN": str(login), "LAKE": str(tmp_path / "lake"),
        "RESTORED_LAKE": str(tmp_path / "restored"),
    }  # fmt: skip
    commands = _commands("test_a_bank_and_a_lake_come_back_from_their_backups")
    assert len(commands) == 2
    for command in commands:
        subprocess.run(["bash", "-euc", command], cwd=tmp_path, env=environment, check=True)

    before, after = (contents(open_bank(Settings(database_url=one))) for one in (url, restored_url))
    assert {name: table.equals(after[name]) for name, table in before.items()} == dict.fromkeys(
        before, True
    )
    scores = [
        load_latest(
            FolderStore(lake), "behavioural", tmp_path / f"cache-{lake.name}"
        ).score_account(**_ACCOUNT)
        for lake in (tmp_path / "lake", tmp_path / "restored")
    ]
    assert scores[0] == scores[1]
