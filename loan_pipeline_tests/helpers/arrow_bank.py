"""A bank of random rows in Arrow tables, of any size, with the interface that the export needs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa

from loan_pipeline.contracts.tables import TABLES, Column, Table

_FIRST_DAY = (date(1993, 1, 1) - date(1970, 1, 1)).days


class ArrowBank:
    """Tables in the contract's types; also the reader of itself."""

    def __init__(self, tables: Mapping[str, pa.Table], batch_rows: int = 1000) -> None:
        self.name = "bank of random rows"
        self.tables = dict(tables)
        self.batch_rows = batch_rows

    @contextmanager
    def reading(self) -> Iterator["ArrowBank"]:
        yield self

    def batches(self, table: Table) -> pa.RecordBatchReader:
        rows = self.tables[table.name]
        return pa.RecordBatchReader.from_batches(
            rows.schema, iter(rows.to_batches(self.batch_rows))
        )

    def row_count(self, table: Table) -> int:
        return self.tables[table.name].num_rows


def random_bank(transactions: int = 3000, seed: int = 1) -> ArrowBank:
    """Keys count from 1, references hit existing rows, nullable columns have nulls."""
    random = np.random.default_rng(seed)
    sizes = {table.name: 40 for table in TABLES} | {"trans": transactions}
    return ArrowBank({table.name: _rows(table, sizes, random) for table in TABLES})


def _rows(table: Table, sizes: Mapping[str, int], random: np.random.Generator) -> pa.Table:
    size = sizes[table.name]
    references = {key.column: key.table for key in table.foreign_keys}
    columns = {table.primary_key: pa.array(range(1, size + 1), pa.int64())}
    for column in table.columns[1:]:
        if column.name in references:
            values = random.integers(1, sizes[references[column.name]] + 1, size)
            columns[column.name] = pa.array(values, pa.int64())
        else:
            columns[column.name] = _values(column, size, random)
    return pa.table(columns)


def _values(column: Column, size: int, random: np.random.Generator) -> pa.Array:
    mask = random.random(size) < 0.3 if column.nullable else None
    if column.kind == "date":
        days = (_FIRST_DAY + random.integers(0, 2000, size)).astype("int32")
        return pa.array(days, pa.int32(), mask=mask).cast(pa.date32())
    if column.kind == "text":
        choices = np.array(column.codes or ("AB", "Č", "YZ"), dtype=object)
        return pa.array(random.choice(choices, size), pa.string(), mask=mask)
    if column.kind == "integer":
        return pa.array(random.integers(1, 100, size), pa.int64(), mask=mask)
    digits = random.integers(1, 10**column.precision, size)
    values = [Decimal(int(number)).scaleb(-column.scale) for number in digits]
    return pa.array(values, pa.decimal128(column.precision, column.scale), mask=mask)
