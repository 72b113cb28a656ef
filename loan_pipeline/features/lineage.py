"""From which raw columns each feature is computed, read off the expressions themselves.

Followed is what a value is computed from. What only chooses rows (filters, joins, grouping) is left
out.
"""

from datetime import date
from functools import cache

import ibis
import ibis.expr.operations as ops

from loan_pipeline.contracts.column_types import ibis_type
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.features.builder import FEATURE_TABLES

Inputs = frozenset[tuple[str, str]]


@cache
def column_inputs(table: str) -> dict[str, Inputs]:
    """The raw table and column names behind each column of a feature table.

    Args:
        table: of `builder.FEATURE_TABLES`.
    """
    raw = {
        one.name: ibis.table({column.name: ibis_type(column) for column in one.columns}, one.name)
        for one in TABLES
    }
    any_day = date(2000, 1, 1)
    expression = FEATURE_TABLES[table](raw, any_day)
    known: dict[tuple[ops.Relation, str], Inputs] = {}
    return {name: _inputs(expression.op(), name, known) for name in expression.columns}


def _inputs(
    relation: ops.Relation, name: str, known: dict[tuple[ops.Relation, str], Inputs]
) -> Inputs:
    """What the column `name` of a relation is computed from."""
    if isinstance(relation, ops.PhysicalTable):
        return frozenset({(relation.name, name)})
    if (relation, name) not in known:
        fields = relation.values[name].find(ops.Field, filter=ops.Value)
        known[relation, name] = frozenset().union(
            *(_inputs(field.rel, field.name, known) for field in fields)
        )
    return known[relation, name]
