"""From NumPy arrays to Arrow columns of the contract's types, without a Python object per row."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from loan_pipeline.bank.arrow import arrow_schema, arrow_type
from loan_pipeline.contracts.tables import Column, Table
from loan_pipeline.sources.sample.arrays import Days, Flags, Integers


def decimals(scaled: Integers, column: Column) -> pa.Array:
    """A column's decimals from integers of its smallest unit. Shape (rows,)."""
    # A decimal128 is a little-endian 128-bit integer: the value, then its sign repeated.
    words = np.empty((len(scaled), 2), dtype="<i8")
    words[:, 0] = scaled
    words[:, 1] = scaled >> 63
    return pa.Array.from_buffers(arrow_type(column), len(scaled), [None, pa.py_buffer(words)])


def dates(days: Days) -> pa.Array:
    """Dates from datetime64[D]. Shape (rows,)."""
    return pa.array(days.astype("datetime64[D]"), pa.date32())


def codes(positions: Integers, values: Sequence[str | None]) -> pa.Array:
    """Texts by their position in `values`, where None is null. Shape (rows,)."""
    return pa.array(values, pa.string()).take(pa.array(positions))


def integers(values: Integers, missing: Flags | None = None) -> pa.Array:
    """Integers, null where `missing`. Shape (rows,)."""
    return pa.array(values, pa.int64(), mask=missing)


def batch(table: Table, columns: Mapping[str, pa.Array]) -> pa.RecordBatch:
    """The columns in the contract's order; KeyError where one is missing."""
    schema = arrow_schema(table)
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
