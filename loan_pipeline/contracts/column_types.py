"""How each system names the type of a contract's column: the one map for DDL, casts and readers.

Names only. What turns them into a system's own objects stands with the code that uses the system.
"""

from collections.abc import Callable

from loan_pipeline.contracts.tables import Column, Kind

_ARROW: dict[Kind, str] = {"integer": "int64", "date": "date32", "text": "string"}
_DUCKDB: dict[Kind, str] = {"integer": "BIGINT", "date": "DATE", "text": "VARCHAR"}
_IBIS: dict[Kind, str] = {"integer": "int64", "date": "date", "text": "string"}
_MARIADB: dict[Kind, str] = {"integer": "BIGINT", "date": "DATE"}

_WHOLE_NUMBERS = frozenset(
    "TINYINT SMALLINT MEDIUMINT INT INTEGER BIGINT HUGEINT "
    "UTINYINT USMALLINT UINTEGER UBIGINT".split()
)
_FRACTIONS = frozenset("DECIMAL NUMERIC DOUBLE FLOAT REAL".split())
# Types of a database that may hold a column of each kind. Whether each value fits is asked of the
# values: a DOUBLE may hold hundredths, and an INT the amounts of a bank that knows no cents.
_HOLDING: dict[Kind, frozenset[str]] = {
    "integer": _WHOLE_NUMBERS | _FRACTIONS,
    "decimal": _WHOLE_NUMBERS | _FRACTIONS,
    "date": frozenset({"DATE"}),
    "text": frozenset("VARCHAR CHAR TEXT ENUM TINYTEXT MEDIUMTEXT LONGTEXT".split()),
}


def arrow_name(column: Column) -> str:
    """Arrow's alias of the type; of a decimal only `decimal128`, without its digits."""
    return _ARROW.get(column.kind, "decimal128")


def duckdb_type(column: Column) -> str:
    """The type as DuckDB writes it."""
    return _DUCKDB.get(column.kind) or f"DECIMAL({column.precision},{column.scale})"


def ibis_type(column: Column) -> str:
    """The type as Ibis writes it."""
    return _IBIS.get(column.kind) or f"decimal({column.precision}, {column.scale})"


def mariadb_type(column: Column) -> str:
    """The type in MariaDB's DDL."""
    if column.kind == "text":
        return f"VARCHAR({column.length})"
    return _MARIADB.get(column.kind) or f"DECIMAL({column.precision},{column.scale})"


def column_definition(column: Column, type_of: Callable[[Column], str]) -> str:
    """The column in a CREATE TABLE statement, its name in double quotes."""
    return f'"{column.name}" {type_of(column)}{"" if column.nullable else " NOT NULL"}'


def may_hold(column: Column, database_type: str) -> bool:
    """Whether a database's type, in capitals, can hold values of the column."""
    return type_name(database_type) in _HOLDING[column.kind]


def is_whole_number(database_type: str) -> bool:
    """Whether a database's type, in capitals, holds nothing but whole numbers."""
    return type_name(database_type) in _WHOLE_NUMBERS


def type_name(database_type: str) -> str:
    """A database's type without size and attributes: INT of `INT(10) UNSIGNED`."""
    return database_type.partition("(")[0].partition(" ")[0]
