"""The little of SQL that a dump's tables need: CREATE TABLE's columns and INSERT's rows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

_BLOCK_BYTES = 4 * 2**20

_STRING = rb"'(?:[^'\\]++|\\.)*+'"
_OTHER_QUOTED = rb'"(?:[^"\\]++|\\.)*+"|`[^`]*+`'
_COMMENT = rb"--(?=\s)[^\n]*+(?:\n|\Z)|\#[^\n]*+(?:\n|\Z)|/\*.*?\*/"
# A block of the file may end anywhere: what it cuts off must not match, so neither a dash nor a
# slash may begin a comment, or stand last.
_SINGLE = rb"-(?!-\s|-?\Z)|/(?!\*|\Z)"
_STATEMENT = re.compile(
    rb"(?:[^;'\"`\-/#]++|%b|%b|%b|%b)*+;" % (_STRING, _OTHER_QUOTED, _COMMENT, _SINGLE), re.DOTALL
)
_BLANK = re.compile(rb"(?:\s++|%b)*+" % _COMMENT, re.DOTALL)
# Quoted as MySQL does, as the standard does, or as SQL Server does.
_QUOTED_NAME = rb"`[^`]+`|\"[^\"]+\"|\[[^\]]+\]"
_NAME = rb"(?:(?:%b|\w+)\s*\.\s*)*(?:(?P<quoted>%b)|(?P<bare>\w+))" % ((_QUOTED_NAME,) * 2)
_COPY = re.compile(rb"COPY\s.*\sFROM\s+stdin", re.IGNORECASE | re.DOTALL)
_CREATE = re.compile(
    rb"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?" + _NAME + rb"\s*\((?P<body>.*)\)",
    re.IGNORECASE | re.DOTALL,
)
_INSERT = re.compile(
    rb"(?:INSERT|REPLACE)\s+(?:\w+\s+)??(?:INTO\s+)?" + _NAME
    + rb"\s*(?:\((?P<columns>[^()]*)\))?\s*VALUES?\s*(?=\()",
    re.IGNORECASE,
)  # fmt: skip
_COLUMN = re.compile(rb"\s*(?:(?P<quoted>%b)|(?P<bare>\w+))\s" % _QUOTED_NAME)
_NO_COLUMNS = frozenset(
    b"PRIMARY KEY UNIQUE CONSTRAINT INDEX FOREIGN FULLTEXT SPATIAL CHECK PERIOD".split()
)

_LITERAL = rb"(?:%b|[-+.\w]++)" % _STRING
_ROW = re.compile(
    rb"\((\s*+%b\s*+(?:,\s*+%b\s*+)*+)\)\s*+(?:,\s*+|;\s*+)" % (_LITERAL, _LITERAL), re.DOTALL
)
_MAY_HAVE_SPACE = re.compile(rb",\s|\s,|^[ \t]|[ \t]$", re.MULTILINE)
_SPACE_BETWEEN = re.compile(rb"(%b)|\s++" % _STRING, re.DOTALL)
_INTRODUCER = re.compile(rb"(%b)|\b_\w+\s*+(?=')" % _STRING, re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0", b"b": b"\b", b"Z": b"\x1a"}


class DumpSyntaxError(ValueError):
    """The dump is not as its tools write it.

    Attributes:
        of_rows: whether rows of a table are what cannot be read.
    """

    def __init__(self, message: str, *, of_rows: bool = True) -> None:
        super().__init__(message)
        self.of_rows = of_rows


@dataclass(frozen=True)
class Create:
    """A table's columns in their order; `table` in lower case."""

    table: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Insert:
    """Rows for a table: `columns` as the statement names them, `values` as it writes them.

    `start` and `end` are the statement's place in the file, in bytes.
    """

    table: str
    columns: tuple[str, ...]
    values: bytes
    start: int
    end: int


def statements(
    stream: IO[bytes], start: int = 0, end: int | None = None
) -> Iterator[Create | Insert]:
    """The statements of a stretch of a file about tables; others are passed over.

    Raises:
        DumpSyntaxError: where the last statement has no end.
    """
    stream.seek(start)
    buffer, position, offset = b"", 0, start
    while True:
        match = _STATEMENT.match(buffer, position)
        if match is None:
            rest = buffer[position:]
            offset += position
            size = max(_BLOCK_BYTES, len(rest))  # doubling keeps long statements linear
            left = size if end is None else min(size, end - offset - len(rest))
            more = stream.read(left)
            if not more:
                if _BLANK.fullmatch(rest) is None:
                    raise DumpSyntaxError(
                        f"it breaks off within {_shown(rest)}", of_rows=_begins_rows(rest)
                    )
                return
            buffer, position = rest + more, 0
            continue
        found = _understood(match[0], offset + position)
        if found is not None:
            yield found
        position = match.end()


def rows_as_csv(values: bytes) -> bytes:
    """A row a line, with single quotes around texts and doubled within, and NULL for null.

    Raises:
        DumpSyntaxError: on anything but literal values.
    """
    if b"_" in values and _INTRODUCER.search(values):
        values = _INTRODUCER.sub(rb"\1", values)
    rows = _ROW.findall(values)
    consumed = _ROW.sub(b"", values)
    if consumed.strip():
        raise DumpSyntaxError(f"an INSERT holds more than literal values: {_shown(consumed)}")
    text: bytes = b"\n".join(rows)
    if _MAY_HAVE_SPACE.search(text):
        text = b"\n".join(_SPACE_BETWEEN.sub(rb"\1", row) for row in rows)
    text += b"\n"
    if b"\\" in text:
        text = _ESCAPE.sub(_unescaped, text)
    return text


def _begins_rows(statement: bytes) -> bool:
    begin = _BLANK.match(statement)
    return _INSERT.match(statement, begin.end() if begin else 0) is not None


def _unescaped(match: re.Match[bytes]) -> bytes:
    character = match[1]
    return b"''" if character == b"'" else _ESCAPED.get(character, character)


def _understood(statement: bytes, start: int) -> Create | Insert | None:
    begin = _BLANK.match(statement)
    skip = begin.end() if begin else 0
    match = _INSERT.match(statement, skip)
    if match:
        columns = match["columns"] or b""
        names = tuple(_bare(name.strip()) for name in columns.split(b",") if name.strip())
        values = statement[match.end() :]
        return Insert(_table(match), names, values, start, start + len(statement))
    if _COPY.match(statement, skip):
        raise DumpSyntaxError(
            "it holds the rows as COPY … FROM stdin, as PostgreSQL's pg_dump writes them, which "
            "is not read; dump with pg_dump --inserts, or export each table as a CSV file with its "
            "header: \\copy loan TO 'loan.csv' CSV HEADER"
        )
    match = _CREATE.match(statement, skip)
    return Create(_table(match), tuple(_columns(match["body"]))) if match else None


def _columns(body: bytes) -> Iterator[str]:
    """Names of the columns: the first words of the definitions outside parentheses."""
    depth, begin = 0, 0
    for position, byte in enumerate(body + b","):
        character = bytes([byte])
        depth += (character == b"(") - (character == b")")
        if character == b"," and depth == 0:
            match = _COLUMN.match(body[begin:position])
            begin = position + 1
            if match and not (match["bare"] and match["bare"].upper() in _NO_COLUMNS):
                yield _bare(match["quoted"] or match["bare"])


def _table(match: re.Match[bytes]) -> str:
    return _bare(match["quoted"] or match["bare"]).lower()


def _bare(name: bytes) -> str:
    return _text(name.strip(b'`"[]'))


def _text(name: bytes) -> str:
    return name.decode(errors="replace")


def _shown(text: bytes) -> str:
    return repr(_text(text.strip()[:60]))
