"""The direct export against DuckDB's own COPY and against pandas, on a sample bank of scale 1.

Ours does more than either: one consistent read, checksums, a manifest and an atomic pointer.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import sqlalchemy

from benchmarks.comparison import Comparison
from benchmarks.timing import alternating
from loan_pipeline.bank.embedded.database import EmbeddedBank
from loan_pipeline.bank.open import open_bank
from loan_pipeline.bank.protocol import Bank
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.lake.direct import export_direct
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.settings import Settings
from loan_pipeline.sources.open import open_source

REPEATS = 5
COPY_RATIO_ALLOWED = 2.0
PANDAS_RATIO_WANTED = 4.0


def main() -> dict[str, Any]:
    """Run both comparisons; print a table and answer the figures."""
    with tempfile.TemporaryDirectory(prefix="bench-snapshot-") as folder:
        results = {"embedded": _embedded(Path(folder))}
        if shutil.which("mariadbd") is None:
            print("MariaDB: skipped, mariadbd is not installed (apt-get install mariadb-server)")
        else:
            results["mariadb"] = _mariadb(Path(folder))
    return results


def _embedded(folder: Path) -> dict[str, Any]:
    path = folder / "bank.duckdb"
    bank = EmbeddedBank(path)
    rows = sum(bank.fill(open_source("sample:scale=1")).values())
    ours, peer = alternating(
        lambda: _export(bank, folder), lambda: _copy(path, folder), repeats=REPEATS
    )
    print(f"embedded bank, {rows:,} rows: ours {ours:.2f} s, DuckDB's COPY {peer:.2f} s, "
          f"ratio {ours / peer:.2f} (at most {COPY_RATIO_ALLOWED})")  # fmt: skip
    comparison = Comparison(
        f"export the embedded bank, {rows:,} rows",
        "s",
        ours,
        {"DuckDB's COPY": peer},
        goal=f"at most {COPY_RATIO_ALLOWED:g} x COPY",
        note="Ours makes one consistent read, checksums, a manifest and an atomic pointer besides.",
    )
    return {
        "comparisons": [comparison.as_data()],
        "rows": rows,
        "seconds": ours,
        "duckdb_copy_seconds": peer,
        "ratio": ours / peer,
        "ratio_allowed": COPY_RATIO_ALLOWED,
    }


def _mariadb(folder: Path) -> dict[str, Any]:
    from loan_pipeline_tests.helpers.mariadb_server import MariaDBServer

    server = MariaDBServer(folder / "mariadb")
    try:
        server.start()
        url = server.new_database("financial")
        bank = open_bank(Settings(database_url=url))
        rows = sum(bank.fill(open_source("sample:scale=1")).values())
        ours, peer = alternating(
            lambda: _export(bank, folder), lambda: _pandas(url, folder), repeats=2
        )
    finally:
        server.kill()
    print(f"MariaDB, {rows:,} rows: ours {ours:.2f} s, pandas.read_sql and to_parquet "
          f"{peer:.2f} s, {peer / ours:.1f} x faster (at least {PANDAS_RATIO_WANTED})")  # fmt: skip
    comparison = Comparison(
        f"export MariaDB in one transaction, {rows:,} rows",
        "s",
        ours,
        {"pandas.read_sql and to_parquet": peer},
        goal=f"{PANDAS_RATIO_WANTED:g} x pandas",
    )
    return {
        "comparisons": [comparison.as_data()],
        "rows": rows,
        "seconds": ours,
        "pandas_seconds": peer,
        "times_faster": peer / ours,
        "times_faster_wanted": PANDAS_RATIO_WANTED,
    }


def _export(bank: Bank, folder: Path) -> None:
    export_direct(bank, FolderStore(folder / "lake"), source=None)


def _copy(path: Path, folder: Path) -> None:
    out = folder / "copy"
    out.mkdir(exist_ok=True)
    with duckdb.connect(path, read_only=True) as connection:
        for table in TABLES:
            connection.execute(f"COPY \"{table.name}\" TO '{out}/{table.name}.parquet'")


def _pandas(url: str, folder: Path) -> None:
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        for table in TABLES:
            frame = pd.read_sql(sqlalchemy.text(f"SELECT * FROM `{table.name}`"), connection)
            frame.to_parquet(folder / f"{table.name}.parquet")
    engine.dispose()


if __name__ == "__main__":
    main()
