"""A bank of three accounts in the challenge's own format, for tests to write, bend and fill."""

import copy
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from loan_pipeline.bank.arrow import arrow_schema
from loan_pipeline.bank.protocol import Bank, Source
from loan_pipeline.contracts.tables import TABLES, Table

Rows = list[list[str]]
Tables = dict[str, Rows]

# The header row comes first; texts and numbers are quoted as in the challenge's files.
_TABLES: Tables = {
    "district": [
        ["A1", *(f"A{number}" for number in range(2, 17))],
        "1 Praha Prague 1204953 0 0 0 1 1 100.0 12541 0.29 0.43 167 85677 99107".split(),
        "2 Jesenik north-Moravia 42821 4 13 5 1 3 48.4 8173 ? 7.01 124 ? 1358".split(),
    ],
    "client": [
        ["client_id", "birth_number", "district_id"],
        ["1", "706213", "2"],
        ["2", "450204", "1"],
        ["3", "405909", "1"],
        ["4", "801231", "2"],
    ],
    "account": [
        ["account_id", "district_id", "frequency", "date"],
        ["1", "2", "POPLATEK MESICNE", "930101"],
        ["2", "1", "POPLATEK TYDNE", "930226"],
        ["3", "1", "POPLATEK PO OBRATU", "960430"],
    ],
    "disp": [
        ["disp_id", "client_id", "account_id", "type"],
        ["1", "1", "1", "OWNER"],
        ["2", "2", "2", "OWNER"],
        ["3", "3", "2", "DISPONENT"],
        ["4", "4", "3", "OWNER"],
    ],
    "card": [
        ["card_id", "disp_id", "type", "issued"],
        ["1", "1", "gold", "931107 00:00:00"],
        ["2", "3", "junior", "960416 00:00:00"],
    ],
    "loan": [
        ["loan_id", "account_id", "date", "amount", "duration", "payments", "status"],
        ["10", "1", "940105", "80952", "24", "3373.00", "A"],
        ["11", "2", "960429", "30276", "12", "2523.00", "B"],
    ],
    "order": [
        ["order_id", "account_id", "bank_to", "account_to", "amount", "k_symbol"],
        ["1", "1", "YZ", "87144583", "2452.00", "SIPO"],
        ["2", "2", "ST", "89597016", "3372.70", "UVER"],
        ["3", "2", "QR", "13943797", "7266.00", " "],
    ],
    "trans": [
        "trans_id account_id date type operation amount balance k_symbol bank account".split(),
        ["5", "1", "930101", "PRIJEM", "VKLAD", "1000.00", "1000.00", "", "", ""],
        ["2", "1", "930131", "PRIJEM", "", "3.40", "1003.40", "UROK", "", ""],
        [
            "3",
            "2",
            "930226",
            "PRIJEM",
            "PREVOD Z UCTU",
            "900.05",
            "900.05",
            "DUCHOD",
            "IJ",
            "80269",
        ],
        ["4", "2", "930301", "VYDAJ", "PREVOD NA UCET", "100.50", "799.55", " ", "QR", "13943797"],
        ["1", "2", "960428", "VYDAJ", "VYBER", "1000.00", "-200.45", "", "", "0"],
    ],
}


def tables() -> Tables:
    """A copy to bend."""
    return copy.deepcopy(_TABLES)


def written(rows: Rows, *, delimiter: str = ";", newline: str = "\n", quoted: bool = True) -> bytes:
    """One file's bytes."""

    def cell(text: str) -> str:
        is_number = text.replace(".", "").replace("-", "").isdecimal() and len(text) != 6
        return f'"{text}"' if quoted and text and text != "?" and not is_number else text

    lines = [delimiter.join(rows[0])] + [delimiter.join(map(cell, row)) for row in rows[1:]]
    return (newline.join(lines) + newline).encode()


def write_files(folder: Path, bank: Tables | None = None, ending: str = ".asc") -> Path:
    """The bank as files, with `;`, LF and quotes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (bank or tables()).items():
        (folder / f"{name}{ending}").write_bytes(written(rows))
    return folder


def contents(bank: Bank) -> dict[str, pa.Table]:
    """All rows of all tables, by key."""
    with bank.reading() as reader:
        return {
            table.name: reader.batches(table).read_all().sort_by(table.primary_key)
            for table in TABLES
        }


class Changed:
    """A source whose batches of one table are other ones."""

    name = "changed source"

    def __init__(self, source: Source, table: Table, batches: list[pa.RecordBatch]) -> None:
        self._source, self._table, self._batches = source, table, batches

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        return iter(self._batches) if table == self._table else self._source.batches(table)


def awkward_rows() -> pa.RecordBatch:
    """Districts whose names hold what separates, quotes and escapes."""
    texts = ['a"b', "a,b", "a\tb", "a\nb", "a\r\nb", "\r", "\\N", "a\\", "NULL", "'; --", "kůň 🏦"]
    row = {name: Decimal(0) for name in ("A10", "A12", "A13")} | {"A3": ' "," '}
    rows: list[dict[str, object]] = [
        {**{f"A{n}": n for n in range(4, 17)}, **row, "district_id": key, "A2": text}
        for key, text in enumerate(texts, start=1)
    ]
    rows[3] |= {"A12": None, "A15": None}
    return pa.RecordBatch.from_pylist(rows, schema=arrow_schema(TABLES[0]))
