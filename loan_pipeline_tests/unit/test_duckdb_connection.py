"""Every DuckDB connection is bounded, and finds repeated keys without holding them."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from loan_pipeline.bank.embedded.reader import EmbeddedReader
from loan_pipeline.contracts.tables import DISTRICT
from loan_pipeline.duckdb_connection import duckdb_connection, ibis_connection

PACKAGE = Path(__file__).parents[2] / "loan_pipeline"


def test_no_other_file_opens_duckdb() -> None:
    others = {
        path.name
        for path in PACKAGE.rglob("*.py")
        if "duckdb.connect(" in path.read_text() and path.name != "duckdb_connection.py"
    }
    assert others == set()


def setting(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    [(value,)] = connection.execute(f"SELECT current_setting('{name}')").fetchall()
    return str(value)


def test_what_does_not_fit_goes_to_a_folder_that_is_gone_afterwards() -> None:
    with duckdb_connection(gigabytes=0.5) as connection:
        assert setting(connection, "memory_limit") == "476.8 MiB"
        spill = Path(setting(connection, "temp_directory"))
        assert spill.is_dir()
    assert not spill.exists()
    with ibis_connection(gigabytes=0.5) as backend:
        assert setting(backend.con, "memory_limit") == "476.8 MiB"


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb_connection() as opened:
        yield opened


def test_duckdb_draws_no_progress_bar_into_the_log_of_a_run(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert setting(connection, "enable_progress_bar") == "False"


@pytest.mark.parametrize(
    ("keys", "plain"),
    [
        ("(1), (2), (5)", True),
        ("(7)", True),
        ("(1), (1)", False),
        ("(2), (1)", False),  # unique, but a search has to say so
        ("(1), (NULL), (2)", False),
        ("(NULL), (1)", False),
    ],
)
def test_ascending_keys_are_seen_to_be_unique(
    connection: duckdb.DuckDBPyConnection, keys: str, plain: bool
) -> None:
    connection.execute(f"CREATE TABLE district AS FROM (VALUES {keys}) AS t(district_id)")
    assert EmbeddedReader(connection).keys_are_unique(DISTRICT) is plain
