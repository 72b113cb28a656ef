"""Sample banks for the tests, each generated once and open to SQL."""

from functools import cache

import duckdb
import pyarrow as pa

from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.sources.sample import SampleSource


@cache
def sample_bank(scale: float = 1.0, seed: int = 1) -> duckdb.DuckDBPyConnection:
    """An in-memory database with the sample bank's eight tables."""
    connection = duckdb.connect()
    for name, table in sample_tables(scale, seed).items():
        connection.register(name, table)
    return connection


@cache
def sample_tables(scale: float = 1.0, seed: int = 1) -> dict[str, pa.Table]:
    """The eight tables by name."""
    source = SampleSource(scale, seed)
    return {table.name: pa.Table.from_batches(source.batches(table)) for table in TABLES}
