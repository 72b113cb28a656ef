"""The commands against servers, the bank in a real MariaDB, the lake on S3 over HTTP.

Distinct secrets stand in every setting and URL: none is printed or written.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pytest

from loan_pipeline.bank.open import open_bank
from loan_pipeline.contracts.features import FEATURES
from loan_pipeline.defs.jobs import fill_ops
from loan_pipeline.lake.feature_tables import FeatureTable, read_feature_table
from loan_pipeline.lake.open import open_store
from loan_pipeline.load_loans import load_loans
from loan_pipeline.scoring.release import load_latest
from loan_pipeline.settings import Settings
from loan_pipeline.sources.open import open_source
from loan_pipeline_tests.helpers import borrowers_bank
from loan_pipeline_tests.helpers.aws import aws_variables, new_lake
from loan_pipeline_tests.helpers.mariadb_server import MariaDBServer
from loan_pipeline_tests.helpers.small_forest import SMALL_FOREST

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

BORROWER = 15  # an account of the bank

BIN = Path(sys.executable).parent
# With characters that URLs must encode; each is looked for as it is and encoded.
BANK, SOURCE, WRONG, TYPED = "b@nk/S3cret1", "s@urce:S3cret2", "wr@ng/S3cret3", "typ3dS3cret4"
AWS, SESSION, API_KEY, SIGNING = (
    "awsS3cret5",
    "s3ssionS3cret6",
    "apiS3cret7",
    "sign-with-S3cret8-of-length",
)
CLIENT = "cl1entS3cret9"
SECRETS = (BANK, SOURCE, WRONG, TYPED, AWS, SESSION, API_KEY, SIGNING, CLIENT)


Command = tuple[list[str], int, dict[str, str]]


def command(*words: str, code: int = 0, **settings: str) -> Command:
    """A console script with its arguments, the code it must end with, and settings of its own."""
    return list(words), code, settings


class Shell:
    """Runs commands with the planted settings and keeps all that they print."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.home = Path(environment["LOAN_HOME"])
        self.printed: list[str] = []

    def run(self, *command: str) -> str:
        """What a process of this command prints; it must succeed."""
        done = subprocess.run(
            [BIN / command[0], *command[1:]],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        self.printed.append(f"{command}\n{done.stdout}\n{done.stderr}")
        assert done.returncode == 0, self.printed[-1]
        return done.stdout + done.stderr

    def run_each(self, *commands: Command) -> None:
        """Run these one after another in one process, as each would load the same."""
        self.run("python", "-c", RUN_EACH, json.dumps(commands))


def user_with(server: MariaDBServer, name: str, password: str, database: str) -> str:
    """The URL of a new user of a database, its password percent-encoded."""
    with server.root() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE OR REPLACE USER '{name}'@'%%' IDENTIFIED BY %s", (password,))
        cursor.execute(f"GRANT ALL ON `{database}`.* TO '{name}'@'%'")
    return f"mysql://{name}:{quote(password, safe='')}@127.0.0.1:{server.port}/{database}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with the bank's files."""
    return str(borrowers_bank.write_files(tmp_path_factory.mktemp("files"), scale=0.5))


@pytest.fixture(scope="module")
def shell(
    mariadb_server: MariaDBServer,
    s3_server: str,
    files: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Shell:
    """A shell in which the whole pipeline has run, the bank filled from another server."""
    for name in ("secret_bank", "secret_source"):
        mariadb_server.new_database(name)
    source = user_with(mariadb_server, "reader", SOURCE, "secret_source")
    open_bank(Settings(database_url=source)).fill(open_source(files))
    wrong = f"mysql://reader:{quote(WRONG, safe='')}@127.0.0.1:{mariadb_server.port}/secret_source"
    planted = {
        "LOAN_HOME": str(tmp_path_factory.mktemp("home")),
        "LOAN_ENV_FILE": "",
        "LOAN_DATABASE_URL": user_with(mariadb_server, "owner", BANK, "secret_bank"),
        "LOAN_LAKE_URL": new_lake(s3_server),
        "LOAN_MINIMUM_ROC_AUC": "0.5",
        "LOAN_WEB_API_KEYS": f"client:{hashlib.sha256(API_KEY.encode()).hexdigest()}",
        "LOAN_WEB_OIDC_CLIENT_SECRET": CLIENT,
        "LOAN_WEB_SECRET_KEY": SIGNING,
        "AWS_SECRET_ACCESS_KEY": AWS,
        "AWS_SESSION_TOKEN": SESSION,
        "BANK_SOURCE": source,
        "WRONG_SOURCE": wrong,
        "POSTGRES_SOURCE": f"postgresql://bank:{quote(WRONG, safe='')}@db/financial",
        "RAW_SOURCE": f"mysql://bank:{WRONG}@db/financial",
        "PYTHONWARNINGS": "ignore",
    }
    inherited = {name: os.environ[name] for name in os.environ if name != "DAGSTER_HOME"}
    shell = Shell(inherited | aws_variables(s3_server) | planted)
    recipe = shell.home / "recipe.json"
    recipe.write_text(json.dumps(SMALL_FOREST))
    shell.run(*"loan-pipeline run --source env:BANK_SOURCE --hyperparameters".split(), str(recipe))
    return shell


def leaks(text: bytes) -> list[str]:
    """The secrets that a text holds, as they are or percent-encoded."""
    return [s for s in SECRETS if s.encode() in text or quote(s, safe="").encode() in text]


def materialise(home: str, source: str, *, code: int = 0) -> Command:
    """Fill the bank through Dagster, with a run's configuration as the UI sends it."""
    config = json.dumps({"ops": fill_ops(source)})
    return command(
        *"dagster asset materialize -m loan_pipeline.definitions --select".split(),
        *('key:"bank"', "--config-json", config),
        code=code,
        DAGSTER_HOME=home,
    )


@pytest.mark.usefixtures("aws_environment")
def test_mariadb_and_s3_give_the_features_of_the_embedded_bank_to_the_last_digit(
    shell: Shell, files: str
) -> None:
    store = open_store(shell.environment["LOAN_LAKE_URL"])
    record = FeatureTable.model_validate_json(store.read("assets/loan_features.json"))
    built = read_feature_table(store, record).sort_values("loan_id", ignore_index=True)
    embedded = load_loans(files).sort_values("loan_id", ignore_index=True)
    names = ["loan_id", "account_id", "status", *(feature.name for feature in FEATURES)]
    pd.testing.assert_frame_equal(built[names], embedded[names], check_exact=True)

    scorer = load_latest(store, "behavioural", shell.home / "cache")
    assert scorer.score_account(BORROWER, 96_000, 24).reasons
    assert not (shell.home / "bank.duckdb").exists()


def test_no_secret_is_printed_or_written(shell: Shell) -> None:
    source_url = shell.environment["BANK_SOURCE"]
    told = shell.run("loan-pipeline", "releases")
    assert "recipe own" in told
    account = shell.run("loan-pipeline", "score", "--account", str(BORROWER),
                        *"--amount 9000 --duration 12".split())  # fmt: skip
    assert "probability" in account

    typed = source_url.replace(quote(SOURCE, safe=""), TYPED)
    refused = (
        typed,
        typed.replace("mysql://", "postgresql://"),
        typed.replace("mysql://", "mysql+mysqldb://"),
        "env:WRONG_SOURCE",
        "env:POSTGRES_SOURCE",
        "env:RAW_SOURCE",
    )
    home = shell.run("loan-pipeline", "dagster-home").strip()
    broken = shell.environment["LOAN_DATABASE_URL"].replace(quote(BANK, safe=""), TYPED)
    shell.run_each(
        command(*"loan-pipeline backtest --source env:BANK_SOURCE --recipe quick".split(),
                *"--feature-set application --repeats 1 --folds 2".split()),
        *(command("loan-pipeline", "run", "--source", one, code=1) for one in refused),
        # Dagster keeps a configuration before any code of ours sees it, so this holds no secret.
        materialise(home, "env:WRONG_SOURCE", code=1),
        materialise(home, "env:RAW_SOURCE", code=1),
        materialise(home, "env:BANK_SOURCE"),
        command(*"loan-pipeline run --source sample".split(), code=1, LOAN_DATABASE_URL=broken),
        command("loan-pipeline", "releases", code=1, LOAN_LAKE_URL=f"s3://k:{TYPED}@bucket/a"),
    )  # fmt: skip
    shell.run("python", "-c", ASK_THE_WEB_APP, str(BORROWER))

    printed = [text for text in shell.printed if leaks(text.partition("\n")[2].encode())]
    assert not printed
    files = [path for path in shell.home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files), "Dagster's storage must be among them"
    signing = {shell.home / "web_secret_key"}
    assert {p: found for p in files if p not in signing and (found := leaks(p.read_bytes()))} == {}


RUN_EACH = """
import json, os, sys
from importlib.metadata import entry_points

scripts, environment = entry_points(group="console_scripts"), dict(os.environ)
for words, expected, settings in json.loads(sys.argv[1]):
    os.environ.clear()
    os.environ.update(environment, **settings)
    sys.argv = words
    try:
        code = scripts[words[0]].load()()
    except SystemExit as end:
        code = end.code
    if (code or 0) != expected:
        sys.exit(f"{words} ended with {code}")
"""


ASK_THE_WEB_APP = """
import sys
from webapp import create_app
client = create_app(host="127.0.0.1").test_client()
asked = {"account_id": int(sys.argv[1]), "amount": 9000, "duration": 12}
for key in ("wrong", "apiS3cret7", ""):
    print(client.post("/api/v1/predictions", json=asked, headers={"X-API-Key": key}).data)
for page in ("/", "/model", "/readyz", "/metrics", "/api/v1/openapi.json"):
    print(client.get(page).data)
"""
