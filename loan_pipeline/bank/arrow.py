"""The contract's tables in Arrow's terms, and the check that every loaded batch passes.

Conversions from text are in `convert`; rules on codes, ranges and whole tables are in `quality`.
"""

import pyarrow as pa
import pyarrow.compute as pc

from loan_pipeline.bank.errors import SourceError
from loan_pipeline.contracts.column_types import arrow_name
from loan_pipeline.contracts.tables import Column, Table


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type of a contract's column."""
    if column.kind == "decimal":
        return pa.decimal128(column.precision, column.scale)
    return pa.type_for_alias(arrow_name(column))


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of a contract's table, its columns in the contract's order."""
    return pa.schema([pa.field(column.name, arrow_type(column)) for column in table.columns])


def check_batch(table: Table, batch: pa.RecordBatch, source: str) -> None:
    """Refuse a batch, come from `source`, that a database could not hold as it is.

    Raises:
        SourceError: on other columns or types than the contract's, nulls where none may be,
            and texts that are too long.
    """
    if batch.schema.remove_metadata() != arrow_schema(table):
        raise SourceError(
            f"{source} returned table {table.name} with the columns {_shape(batch.schema)}; "
            f"the contract wants {_shape(arrow_schema(table))}."
        )
    for column, values in zip(table.columns, batch.columns, strict=True):
        problem, bad = unfit(column, values)
        if problem:
            row = pc.index(bad, True).as_py()
            key = batch.column(0)[row].as_py()
            raise SourceError(
                f"{source}, table {table.name}: column {column.name} {problem} in "
                f"{pc.sum(bad).as_py():,} rows, first where {table.primary_key} is {key}. "
                "Correct the source and fill again."
            )


def unfit(column: Column, values: pa.Array) -> tuple[str, pa.Array]:
    """What keeps values out of a database column.

    Returns:
        The problem in words (empty where there is none), and a mask of the rows that have it.
    """
    if values.null_count and not column.nullable:
        return "is empty", values.is_null()
    # An unknown code is reported as one, however long; where it may be kept, it must fit.
    if column.kind == "text" and (column.nullable or not column.codes):
        longest = pc.max(pc.utf8_length(values)).as_py()
        if longest is not None and longest > column.length:
            bad = pc.fill_null(pc.greater(pc.utf8_length(values), column.length), False)
            return f"is longer than {column.length} characters", bad
        if column.nullable and pc.any(pc.equal(values, "")).as_py():
            return "is an empty text, not null,", pc.fill_null(pc.equal(values, ""), False)
    return "", pa.nulls(len(values), pa.bool_())


def _shape(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
