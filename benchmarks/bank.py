"""MariaDB filled and read at scale 1, against the server's own LOAD DATA and pandas.read_sql.

Filling starts from PKDD'99 files: parsing, checks and validation count. The peer loads CSV files
that are ready, into tables of the same keys, one after the other.
"""

import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy

from benchmarks.comparison import Comparison
from benchmarks.timing import alternating, peak_bytes
from loan_pipeline.bank.embedded.database import EmbeddedBank
from loan_pipeline.bank.mariadb.address import parse_address
from loan_pipeline.bank.mariadb.connection import connected
from loan_pipeline.bank.mariadb.load import add_references, create_table
from loan_pipeline.bank.open import open_bank
from loan_pipeline.contracts.tables import TABLES, TRANS
from loan_pipeline.settings import Settings
from loan_pipeline.sources.open import open_source
from loan_pipeline.sources.sample.pkdd import write_pkdd

FILL_REPEATS = 3
READ_REPEATS = 3
FILL_RATIO_ALLOWED = 1.3
READ_TIMES_FASTER_WANTED = 5.0


def main(scale: float = 1.0) -> dict[str, Any]:
    """Fill and read a sample bank of this scale; print a line each and answer the figures."""
    if shutil.which("mariadbd") is None:
        print("skipped: mariadbd is not installed (apt-get install mariadb-server)")
        return {"skipped": "mariadbd is not installed"}
    from loan_pipeline_tests.helpers.mariadb_server import MariaDBServer

    with tempfile.TemporaryDirectory(prefix="bench-bank-") as folder:
        files = Path(folder) / "files"
        write_pkdd(open_source(f"sample:scale={scale}"), files)
        server = MariaDBServer(Path(folder), "--innodb-buffer-pool-size=512M")
        try:
            server.start()
            fill = _fill(server.new_database("financial"), server.new_database("peer"), files)
            read = _read(server.new_database("financial"), files)
            return {"fill": fill, "read": read}
        finally:
            server.kill()


def _fill(url: str, peer_url: str, files: Path) -> dict[str, Any]:
    bank = open_bank(Settings(database_url=url))
    embedded = EmbeddedBank(files / "bank.duckdb")
    rows = sum(embedded.fill(open_source(str(files))).values())
    with embedded.reading() as reader:
        for table in TABLES:
            # Nulls as LOAD DATA wants them, so that the peer has nothing to convert.
            frame = reader.batches(table).read_pandas(date_as_object=True)
            frame.to_csv(files / f"{table.name}.load", index=False, header=False, na_rep="\\N")

    ours, peer = alternating(
        lambda: bank.fill(open_source(str(files))),
        lambda: _load_data(peer_url, files),
        repeats=FILL_REPEATS,
    )
    ratio = ours / peer
    print(f"fill, {rows:,} rows: ours from files {ours:.2f} s, LOAD DATA from ready CSV "
          f"{peer:.2f} s, ratio {ratio:.2f} (at most {FILL_RATIO_ALLOWED})")  # fmt: skip
    comparison = Comparison(
        f"fill MariaDB from files, {rows:,} rows in eight tables",
        "s",
        ours,
        {"LOAD DATA of ready CSV": peer},
        goal=f"at most {FILL_RATIO_ALLOWED} x LOAD DATA",
    )
    return {
        "comparisons": [comparison.as_data()],
        "rows": rows,
        "seconds": ours,
        "load_data_seconds": peer,
        "ratio": ratio,
        "ratio_allowed": FILL_RATIO_ALLOWED,
    }


def _load_data(url: str, files: Path) -> None:
    with connected(parse_address(url), local_infile=True) as connection:
        cursor = connection.cursor()
        cursor.execute("SET foreign_key_checks = 0")
        names = ", ".join(f'"{table.name}"' for table in TABLES)
        cursor.execute(f"DROP TABLE IF EXISTS {names}")
        for table in TABLES:
            cursor.execute(create_table(table, table.name))
            references = add_references(table, "")
            if references:
                cursor.execute(references)
        for table in TABLES:
            path = files / f"{table.name}.load"
            cursor.execute(
                f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE \"{table.name}\" "
                "CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"'"
            )


def _read(url: str, files: Path) -> dict[str, Any]:
    open_bank(Settings(database_url=url)).fill(open_source(str(files)))
    ours: list[tuple[float, int, int]] = []
    peer: list[tuple[float, int, int]] = []
    for turn in range(READ_REPEATS):
        ours.append(_in_a_process(_read_ours, url))
        if turn == 0:  # it takes long enough to be told apart
            peer.append(_in_a_process(_read_pandas, url))
    seconds = statistics.median(second for second, _, _ in ours)
    times = peer[0][0] / seconds
    assert ours[0][1] == peer[0][1], "both must read the same number of rows"
    print(f"read, {ours[0][1]:,} transactions: ours {seconds:.2f} s, process {ours[0][2]} MB; "
          f"pandas.read_sql {peer[0][0]:.2f} s, process {peer[0][2]} MB; {times:.1f} x faster "
          f"(at least {READ_TIMES_FASTER_WANTED})")  # fmt: skip
    work = f"read {ours[0][1]:,} transactions from MariaDB"
    name, goal = "pandas.read_sql", f"{READ_TIMES_FASTER_WANTED:g} x pandas"
    comparisons = [
        Comparison(f"{work} into Arrow", "s", seconds, {name: peer[0][0]}, goal=goal),
        Comparison(f"{work}, the process's memory", "MB", ours[0][2], {name: peer[0][2]}),
    ]
    return {
        "comparisons": [comparison.as_data() for comparison in comparisons],
        "rows": ours[0][1],
        "seconds": seconds,
        "process_megabytes": ours[0][2],
        "pandas_seconds": peer[0][0],
        "pandas_process_megabytes": peer[0][2],
        "times_faster": times,
        "times_faster_wanted": READ_TIMES_FASTER_WANTED,
    }


def _read_ours(url: str) -> tuple[float, int, int]:
    started = time.perf_counter()
    with open_bank(Settings(database_url=url)).reading() as reader:
        rows = sum(batch.num_rows for batch in reader.batches(TRANS))
    return time.perf_counter() - started, rows, peak_bytes() // 1_000_000


def _read_pandas(url: str) -> tuple[float, int, int]:
    engine = sqlalchemy.create_engine(url)
    started = time.perf_counter()
    with engine.connect() as connection:
        rows = len(pd.read_sql(sqlalchemy.text("SELECT * FROM trans"), connection))
    return time.perf_counter() - started, rows, peak_bytes() // 1_000_000


def _in_a_process(
    work: Callable[[str], tuple[float, int, int]], url: str
) -> tuple[float, int, int]:
    """In a process of its own, so that its peak of memory is its own too."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, (url,))


if __name__ == "__main__":
    main()
