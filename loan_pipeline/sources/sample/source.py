"""The sample bank as a source: the same scale and seed give the same bank, chunk by chunk."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from loan_pipeline.bank.errors import SourceError
from loan_pipeline.contracts.tables import DISTRICT, TRANS, Table
from loan_pipeline.sources.sample.chunk import make_chunk
from loan_pipeline.sources.sample.districts import make_districts
from loan_pipeline.sources.sample.sizes import chunk_sizes
from loan_pipeline.sources.sample.tables import BATCHES, district_batch
from loan_pipeline.sources.sample.transactions import transactions_batch

_ROWS_PER_BATCH = 100_000


class SampleSource:
    """An invented bank of any size; it holds no more than one chunk in memory.

    Args:
        scale: 1 is a bank of 4,500 accounts and about 1,050,000 transactions; at least 0.01.
        seed: another seed gives another bank of the same kind.

    Raises:
        SourceError: on a scale below 0.01 or a negative seed.
    """

    def __init__(self, scale: float = 1.0, seed: int = 1) -> None:
        try:
            self._sizes = chunk_sizes(scale)
            root = np.random.SeedSequence(seed)
        except ValueError as error:
            raise SourceError(
                f"There is no sample bank of scale {scale} and seed {seed}: {error}."
            ) from error
        self.name = f"sample bank (scale {scale:g}, seed {seed})"
        districts, *self._chunk_seeds = root.spawn(1 + len(self._sizes))
        self._districts = make_districts(np.random.default_rng(districts))

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        """The table's rows, with the contract's columns and Arrow types, by ascending key."""
        if table is DISTRICT:
            yield district_batch(self._districts)
            return
        for number in range(len(self._sizes)):
            yield from _cut(self._batch(table, number))

    def expected_rows(self, table: Table) -> int | None:
        """About how many transactions there are; the other tables are short."""
        return sum(sizes.transactions for sizes in self._sizes) if table is TRANS else None

    def _batch(self, table: Table, number: int) -> pa.RecordBatch:
        # A chunk's books have random numbers of their own: the other tables need not keep them.
        static, books = self._chunk_seeds[number].generate_state(2, np.uint64)
        chunk = make_chunk(
            number, self._sizes[number], self._districts, np.random.default_rng(static)
        )
        if table is TRANS:
            return transactions_batch(chunk, np.random.default_rng(books))
        return BATCHES[table.name](chunk)


def _cut(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, _ROWS_PER_BATCH):
        yield batch.slice(start, _ROWS_PER_BATCH)
