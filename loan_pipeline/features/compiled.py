"""The feature tables in DuckDB's SQL, compiled ahead of time; `sql/` is also for who audits them.

To build the expressions and to compile them takes half as long as a million transactions take to
compute. The SQL carries a fingerprint of the code it was made from: where that has changed since,
the expressions are compiled on the spot, so that no old SQL computes anything.

python -m loan_pipeline.features.compiled
"""

import hashlib
from datetime import date
from pathlib import Path

import duckdb
import ibis
import pyarrow as pa

from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.features.builder import FEATURE_TABLES
from loan_pipeline.lake.reader import ibis_type

SQL = Path(__file__).parent / "sql"
_PACKAGE = Path(__file__).parents[1]
# Whole rooms, so that no file of an expression is ever forgotten.
MADE_FROM = (
    *sorted((_PACKAGE / "contracts").rglob("*.py")),
    *sorted((_PACKAGE / "features").rglob("*.py")),
    _PACKAGE / "scoring" / "affordability.py",
)
_AS_OF = "$as_of"
# Stands for the parameter while Ibis compiles: a date that nothing else names.
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
    sql = kept if kept.startswith(_fingerprint()) else compiled(name)
    return connection.execute(sql, {"as_of": as_of} if _AS_OF in sql else None).to_arrow_reader()


def compiled(name: str) -> str:
    """A feature table's SQL from its expression, the fingerprint first."""
    tables = {
        table.name: ibis.table({c.name: ibis_type(c) for c in table.columns}, name=table.name)
        for table in TABLES
    }
    expression = FEATURE_TABLES[name](tables, _ANY_DAY)
    sql = str(ibis.to_sql(expression, dialect="duckdb")).replace(_ANY_DAY_SQL, _AS_OF)
    return f"{_fingerprint()}{sql}\n"


def _fingerprint() -> str:
    """A line of comment that changes with every file that the SQL is made from."""
    digest = hashlib.sha256()
    for path in MADE_FROM:
        digest.update(path.read_bytes())
    return f"-- made by loan_pipeline.features.compiled from {digest.hexdigest()}\n"


if __name__ == "__main__":
    for each in FEATURE_TABLES:
        (SQL / f"{each}.sql").write_text(compiled(each), encoding="utf-8")
