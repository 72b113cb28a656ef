"""The direct export: from either bank to the store, in the layout of an RDS snapshot export.

One consistent read of the bank, streamed in batches, written as compressed Parquet, several files
for a large table. It knows the bank by protocol only; names in the store stand in `snapshot`.
"""

import hashlib
import logging
import uuid
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loan_pipeline.contracts.snapshot import SnapshotFile, SnapshotManifest, SnapshotTable
from loan_pipeline.contracts.table_reader import ReadableBank, RowReader
from loan_pipeline.contracts.tables import TABLES, TRANS, Table
from loan_pipeline.lake.protocol import Store, StoreError
from loan_pipeline.lake.snapshot import (
    DATABASE,
    SnapshotError,
    folder_of,
    new_snapshot_id,
    publish,
)
from loan_pipeline.progress import Task, track

logger = logging.getLogger("loan_pipeline.lake")

# About 20 MB of Arrow memory and 3 MB of Parquet for each file of transactions.
ROWS_PER_FILE = 200_000
# Encoding and compressing leave Python's lock, so two threads keep two cores busy while the bank
# is read. The files in hand are bounded, and with them memory, however large the table is.
_WRITERS = 2
_FILES_IN_HAND = _WRITERS + 1


def export_direct(
    bank: ReadableBank[RowReader], store: Store, *, source: str | None
) -> SnapshotManifest:
    """Copy the bank's eight tables, as they are at one moment, to the store and publish them.

    Args:
        bank: what to copy.
        store: where to.
        source: what filled the bank, where known; goes into the manifest.

    Raises:
        SnapshotError: there is no transaction, or the bank gave fewer or more rows than it has.
        StoreError: the store failed. The latest snapshot is what it was, in every case.
    """
    created_at = datetime.now(UTC)
    snapshot_id = new_snapshot_id(created_at)
    logger.info("exporting %s to %s/%s", bank.name, store.url, folder_of(snapshot_id))
    try:
        tables, newest = _write_tables(bank, store, snapshot_id)
    except BaseException:  # a cancelled run too
        with suppress(StoreError):  # the first error is the one to report
            store.delete(folder_of(snapshot_id))
        raise
    manifest = SnapshotManifest(
        snapshot_id=snapshot_id,
        created_at=created_at,
        exporter="direct",
        bank=bank.name,
        source=source,
        as_of=newest + timedelta(days=1),
        tables=tables,
    )
    publish(store, manifest)
    return manifest


def _write_tables(
    bank: ReadableBank[RowReader], store: Store, snapshot_id: str
) -> tuple[dict[str, SnapshotTable], date]:
    newest: date | None = None
    tables: dict[str, SnapshotTable] = {}
    with bank.reading() as reader:
        expected = {table.name: reader.row_count(table) for table in TABLES}
        with (
            track("Exporting the snapshot", sum(expected.values())) as task,
            ThreadPoolExecutor(_WRITERS, "snapshot-writer") as writers,
        ):
            for table in TABLES:
                written = _TableWriter(table, store, snapshot_id, writers, task)
                tables[table.name] = written.copy(reader)
                newest = written.newest or newest
    for name, count in expected.items():
        if tables[name].rows != count:
            raise SnapshotError(
                f"table {name}: {bank.name} holds {count:,} rows but gave {tables[name].rows:,}; "
                "run the export again"
            )
    if newest is None:
        raise SnapshotError(
            f"table {TRANS.name} of {bank.name} is empty: fill the bank before exporting it"
        )
    return tables, newest


class _TableWriter:
    """Copies one table, and notes the newest transaction on the way."""

    def __init__(
        self,
        table: Table,
        store: Store,
        snapshot_id: str,
        writers: ThreadPoolExecutor,
        task: Task,
    ) -> None:
        self.table = table
        self.store = store
        self.folder = folder_of(snapshot_id)
        self.writers = writers
        self.task = task
        self.newest: date | None = None

    def copy(self, reader: RowReader) -> SnapshotTable:
        files: list[SnapshotFile] = []
        in_hand: deque[Future[SnapshotFile]] = deque()
        for number, part in enumerate(_parts(reader.batches(self.table))):
            self._note_newest(part)
            if len(in_hand) == _FILES_IN_HAND:
                files.append(in_hand.popleft().result())
            in_hand.append(self.writers.submit(self._write, number, part))
            self.task.advance(part.num_rows)
        files.extend(future.result() for future in in_hand)
        return SnapshotTable(rows=sum(file.rows for file in files), files=tuple(files))

    def _note_newest(self, part: pa.Table) -> None:
        if self.table is TRANS and part.num_rows:
            newest = pc.max(part.column(TRANS.newest_by)).as_py()
            self.newest = max(newest, self.newest) if self.newest else newest

    def _write(self, number: int, part: pa.Table) -> SnapshotFile:
        name = f"part-{number:05}-{uuid.uuid4()}-c000.gz.parquet"
        key = f"{DATABASE}/{DATABASE}.{self.table.name}/1/{name}"
        data = encode(self.table, part)
        self.store.write(f"{self.folder}/{key}", data)
        return SnapshotFile(
            key=key,
            rows=part.num_rows,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )


def encode(table: Table, rows: pa.Table) -> bytes:
    """The rows as one Parquet file.

    Texts repeat: they are dictionaries in gzip, as RDS writes them. Numbers and dates, decimals
    too, are stored as differences: smaller than plain values are in gzip, and faster to write and
    to read.
    """
    texts = [column.name for column in table.columns if column.kind == "text"]
    numbers = [name for name in table.column_names if name not in texts]
    output = pa.BufferOutputStream()
    pq.write_table(
        rows,
        output,
        use_dictionary=texts,
        column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
        store_decimal_as_integer=True,
        compression=dict.fromkeys(texts, "gzip") | dict.fromkeys(numbers, "snappy"),
        compression_level=dict.fromkeys(texts, 1),
        row_group_size=ROWS_PER_FILE,
    )
    return bytes(output.getvalue())


def _parts(batches: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """The stream cut into tables of about `ROWS_PER_FILE` rows; one empty table for no rows."""
    waiting: list[pa.RecordBatch] = []
    rows = parts = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= ROWS_PER_FILE:
            yield pa.Table.from_batches(waiting)
            waiting, rows, parts = [], 0, parts + 1
    if rows or not parts:
        yield pa.Table.from_batches(waiting, batches.schema)
