"""The account features by every engine, each in a process of its own: seconds and peak memory.

    python -m benchmarks.features_engines ENGINE FOLDER AS_OF

prints the figures of one; the folder has a Parquet file for each table.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks import features_pandas, features_polars, features_sql
from benchmarks.timing import peak_bytes
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.duckdb_connection import COMPUTING_GB, ibis_connection
from loan_pipeline.features.builder import serving_features

Paths = dict[str, list[Path]]
Figures = dict[str, float]


def _ours(paths: Paths, as_of: date, out: Path) -> None:
    with ibis_connection(gigabytes=COMPUTING_GB, keeps_order=False) as connection:
        tables = {name: connection.read_parquet(files) for name, files in paths.items()}
        _write(serving_features(tables, as_of).to_pyarrow_batches(), out)


def _sql(paths: Paths, as_of: date, out: Path) -> None:
    with ibis_connection(gigabytes=COMPUTING_GB, keeps_order=False) as connection:
        _write(features_sql.account_features(connection.con, paths, as_of), out)


def _polars(paths: Paths, as_of: date, out: Path) -> None:
    features_polars.account_features(paths, as_of).collect().write_parquet(out)


def _polars_streaming(paths: Paths, as_of: date, out: Path) -> None:
    features_polars.account_features(paths, as_of).collect(engine="streaming").write_parquet(out)


def _pandas(paths: Paths, as_of: date, out: Path) -> None:
    features_pandas.account_features(paths, as_of).to_parquet(out)


ENGINES: dict[str, Callable[[Paths, date, Path], None]] = {
    "ours": _ours,
    "SQL by hand": _sql,
    "Polars": _polars,
    "Polars, streaming": _polars_streaming,
    "pandas": _pandas,
}


def measured(folder: Path, as_of: date, engines: Sequence[str], repeats: int) -> dict[str, Figures]:
    """Median `seconds` and `peak_gb` of each engine, run in turn."""
    runs: dict[str, list[Figures]] = {engine: [] for engine in engines}
    for _ in range(repeats):
        for engine, found in runs.items():
            command = [sys.executable, "-m", "benchmarks.features_engines", engine, str(folder)]
            command.append(as_of.isoformat())
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
            found.append(json.loads(answer))
    return {
        engine: {key: statistics.median(run[key] for run in found) for key in found[0]}
        for engine, found in runs.items()
    }


def _write(batches: object, out: Path) -> None:
    with pq.ParquetWriter(out, batches.schema) as file:  # type: ignore[attr-defined]
        for batch in batches:  # type: ignore[attr-defined]
            file.write_batch(batch)


def _measure(engine: str, folder: Path, as_of: date) -> Figures:
    paths = {table.name: [folder / f"{table.name}.parquet"] for table in TABLES}
    started = time.perf_counter()
    ENGINES[engine](paths, as_of, folder / "features.out")
    return {"seconds": time.perf_counter() - started, "peak_gb": peak_bytes() / 1e9}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], Path(sys.argv[2]), date.fromisoformat(sys.argv[3]))))
