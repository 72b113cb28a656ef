"""The SQL that DuckDB runs for a feature table, for people who audit it. Nothing runs this text."""

from datetime import date

import ibis

from loan_pipeline.contracts.column_types import ibis_type
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.features.builder import FEATURE_TABLES


def sql_of(name: str, as_of: date) -> str:
    """A feature table's SQL for one as-of date, compiled from its expression.

    Args:
        name: of `builder.FEATURE_TABLES`.
        as_of: for the accounts, what happened strictly before it is known; loans have their dates.
    """
    tables = {
        table.name: ibis.table({c.name: ibis_type(c) for c in table.columns}, name=table.name)
        for table in TABLES
    }
    return str(ibis.to_sql(FEATURE_TABLES[name](tables, as_of), dialect="duckdb"))
