"""Writes a source as the files of the PKDD'99 challenge: `;`, quoted texts, dates as YYMMDD."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from loan_pipeline.bank.convert import BIRTH_NUMBER, RENAMED
from loan_pipeline.bank.errors import BankError
from loan_pipeline.bank.protocol import Source
from loan_pipeline.contracts.tables import CARD, CLIENT, DISTRICT, ORDER, TABLES, TRANS, Table
from loan_pipeline.progress import Task, track

# Other banks' account numbers are texts in the challenge's files.
_WRITTEN_AS_TEXT = {(ORDER.name, "account_to"), (TRANS.name, "account")}
_MONEY = pa.decimal128(12, 2)
_BORN_A_WOMAN = 5_000  # added to YYMMDD


def write_pkdd(source: Source, out: Path) -> None:
    """Write the eight tables as `<table>.asc` into the folder `out`, over what is there.

    Raises:
        BankError: the folder cannot be written to; a file is replaced only when its successor is
            complete.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with track("Writing PKDD'99 files") as task:
            for table in TABLES:
                _write(source, table, out / f"{table.name}.asc", task)
    except OSError as error:
        raise BankError(
            f"The sample bank cannot be written to {out}: {error.strerror or error}. "
            "Choose another folder or free space, then write it again."
        ) from error


def _write(source: Source, table: Table, path: Path, task: Task) -> None:
    unfinished = path.with_suffix(".asc.part")
    try:
        with unfinished.open("wb") as file:
            file.write(_header(table).encode())
            for batch in source.batches(table):
                file.write(b"".join(_lines(table, batch).to_numpy(zero_copy_only=False)))
                task.advance(batch.num_rows)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _header(table: Table) -> str:
    renamed = {ours: theirs for (name, theirs), ours in RENAMED.items() if name == table.name}
    names = [renamed.get(name, name) for name in table.column_names]
    if table is CLIENT:
        names = ["client_id", BIRTH_NUMBER, "district_id"]
    return ";".join(names if table is DISTRICT else map(_quoted_name, names)) + "\n"


def _quoted_name(name: str) -> str:
    return f'"{name}"'


def _lines(table: Table, batch: pa.RecordBatch) -> pa.Array:
    fields = list(_fields(table, batch))
    fields[-1] = pc.binary_join_element_wise(fields[-1], "\n", "")
    return pc.binary_join_element_wise(*fields, ";").cast(pa.binary())


def _fields(table: Table, batch: pa.RecordBatch) -> Iterator[pa.Array]:
    """The columns as texts, quoted where the challenge quotes them; nothing for null."""
    if table is CLIENT:
        number = _yymmdd(batch["birth_date"]).cast(pa.int64())
        woman = pc.if_else(pc.equal(batch["gender"], "F"), _BORN_A_WOMAN, 0)
        padded = pc.utf8_lpad(pc.add(number, woman).cast(pa.string()), 6, "0")
        yield from (_text(batch["client_id"]), _quoted(padded), _text(batch["district_id"]))
        return
    for column, values in zip(table.columns, batch.columns, strict=True):
        if column.kind == "date":
            time = " 00:00:00" if table is CARD else ""
            yield pc.binary_join_element_wise(_yymmdd(values), time, "")
        elif table is DISTRICT:
            yield pc.fill_null(_text(values), "?")
        elif column.kind == "text" or (table.name, column.name) in _WRITTEN_AS_TEXT:
            yield _quoted(_text(values))
        else:
            yield _text(values.cast(_MONEY) if column.kind == "decimal" else values)


def _text(values: pa.Array) -> pa.Array:
    return values.cast(pa.string())


def _quoted(texts: pa.Array) -> pa.Array:
    return pc.fill_null(pc.binary_join_element_wise('"', texts, '"', ""), "")


def _yymmdd(days: pa.Array) -> pa.Array:
    encoded = days.dictionary_encode()  # few different days: each is written once
    return pc.strftime(encoded.dictionary, "%y%m%d").take(encoded.indices)
