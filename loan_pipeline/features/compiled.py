"""The feature tables in DuckDB's SQL, compiled ahead of time; `sql/` is also for who audits them.

To build the expressions and to compile them takes half as long as a million transactions take to
compute. Each file carries a fingerprint of the code it was made from and of its SQL: where either
has changed since, the expression is compiled on the spot: neither old nor edited SQL is run.

python -m loan_pipeline.features.compiled
"""

import hashlib
from datetime import date
from pathlib import Path

import duckdb
import ibis
import pyarrow as pa

from loan_pipeline.contracts.column_types import ibis_type
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.features.builder import FEATURE_TABLES

SQL = Path(__file__).parent / "sql"
_PACKAGE = Path(__file__).parents[1]
# Whole rooms, so that no file of an expression is ever forgotten.
MADE_FROM = (
    *sorted((_PACKAGE / "contracts").rglob("*.py")),
    *sorted((_PACKAGE / "features").rglob("*.py")),
    _PACKAGE / "scoring" / "affordability.py",
)
_AS_OF = "$as_of"
# Stands for the parameter in what is kept: a date that nothing else names.
_ANY_DAY = date(1, 1, 1)
_ANY_DAY_SQL = "MAKE_DATE(1, 1, 1)"


def compute(connection: duckdb.DuckDBPyConnection, name: str, as_of: date) -> pa.RecordBatchReader:
    """A feature table, computed while it is read.

    Args:
        connection: holds the bank's raw tables, or views of them, under their own names and with
            the contract's types.
        name: of `builder.FEATURE_TABLES`.
        as_of: for the accounts, what happened strictly before it is known; loans have their dates.

    Returns:
        The columns of the expression.
    """
    path = SQL / f"{name}.sql"
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    _made, _, sql = kept.partition("\n")
    if kept != _with_fingerprint(sql):
        sql = compiled(name, as_of)
    return connection.execute(sql, {"as_of": as_of} if _AS_OF in sql else None).to_arrow_reader()


def compiled(name: str, as_of: date) -> str:
    """A feature table's SQL for one as-of date, from its expression as it is now."""
    tables = {
        table.name: ibis.table({c.name: ibis_type(c) for c in table.columns}, name=table.name)
        for table in TABLES
    }
    return str(ibis.to_sql(FEATURE_TABLES[name](tables, as_of), dialect="duckdb"))


def file_of(name: str) -> str:
    """What is kept of a feature table in `sql/`, for any as-of date."""
    return _with_fingerprint(f"{compiled(name, _ANY_DAY).replace(_ANY_DAY_SQL, _AS_OF)}\n")


def _with_fingerprint(sql: str) -> str:
    digest = hashlib.sha256(sql.encode())
    for path in MADE_FROM:
        digest.update(path.read_bytes())
    return f"-- made by loan_pipeline.features.compiled {digest.hexdigest()}\n{sql}"


if __name__ == "__main__":
    for each in FEATURE_TABLES:
        (SQL / f"{each}.sql").write_text(file_of(each), encoding="utf-8")
