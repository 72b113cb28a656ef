"""Reading a dump's statements: whatever texts hold, and wherever blocks of the file end."""

import io
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymysql.converters import escape_string

from loan_pipeline.sources import dump_sql
from loan_pipeline.sources.dump import _read
from loan_pipeline.sources.dump_sql import Create, DumpSyntaxError, Insert, rows_as_csv, statements

TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.text("'\"\\`;,()-/*# \n\r\tN_x", max_size=20),
)
CELLS = st.one_of(st.none(), TEXTS, st.integers(-(10**9), 10**9))


def literal(cell: object) -> str:
    if cell is None:
        return "NULL"
    return str(cell) if isinstance(cell, int) else f"'{escape_string(cell)}'"


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 99), CELLS, CELLS), min_size=1, max_size=5),
    between=st.sampled_from(["", " ", "\n"]),
    block=st.integers(1, 40),
)
def test_every_text_survives_the_way_through_a_dump(
    rows: list[tuple[object, ...]], between: str, block: int
) -> None:
    values = f",{between}".join(
        "(" + f",{between}".join(literal(cell) for cell in row) + ")" for row in rows
    )
    script = (
        "-- it's a dump; of `one`\n/*!40101 SET NAMES utf8mb4 */;\n"
        "CREATE TABLE `one` (`a` int(11), `b;c` decimal(6,2) DEFAULT NULL, c text, KEY (`a`));\n"
        f"LOCK TABLES `one` WRITE;\nINSERT INTO `one` VALUES\n{values};\nUNLOCK TABLES;\n"
    )
    with patch.object(dump_sql, "_BLOCK_BYTES", block):
        create, insert = list(statements(io.BytesIO(script.encode())))
    assert create == Create("one", ("a", "b;c", "c"))
    assert isinstance(insert, Insert)
    read = _read(rows_as_csv(insert.values), create.columns)
    expected = [[None if cell in (None, "") else str(cell) for cell in row] for row in rows]
    assert [list(row) for row in zip(*(read[name].to_pylist() for name in read), strict=True)] == (
        expected
    )


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO `one` VALUES (1, SLEEP(5));",
        "INSERT INTO `one` VALUES (1, 'a') ON DUPLICATE KEY UPDATE a = 2;",
        "INSERT INTO `one` VALUES (1, @@version);",
    ],
)
def test_anything_but_literal_values_is_refused(statement: str) -> None:
    [insert] = statements(io.BytesIO(statement.encode()))
    assert isinstance(insert, Insert)
    with pytest.raises(DumpSyntaxError, match="more than literal values"):
        rows_as_csv(insert.values)


def test_names_may_be_qualified_quoted_or_bare() -> None:
    script = (
        "insert ignore into financial.one(a, b) value (1, 'x');"
        "REPLACE INTO `financial` . `order` VALUES (_utf8mb4 'y', _binary 'z');"
        "INSERT INTO one SELECT * FROM two;"
    )
    first, second = statements(io.BytesIO(script.encode()))
    assert isinstance(first, Insert)
    assert isinstance(second, Insert)
    assert (first.table, first.columns, rows_as_csv(first.values)) == (
        "one",
        ("a", "b"),
        b"1,'x'\n",
    )
    assert (second.table, rows_as_csv(second.values)) == ("order", b"'y','z'\n")
