"""What can fill a bank: the interface, and how a source is named on the command line."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import pyarrow as pa

from loan_pipeline.bank.address import is_address, parse_address
from loan_pipeline.bank.errors import SourceError
from loan_pipeline.contracts.tables import Table

KNOWN = (
    "sample, sample:scale=2,seed=7, a folder or .zip of PKDD'99 files, a .sql dump, "
    "mysql://user:password@host/database, or ctu (the public server)"
)


class Source(Protocol):
    """Something that holds the eight tables.

    Attributes:
        name: says what it is; safe to log.
    """

    name: str

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        """The table's rows, with the contract's columns and Arrow types."""


@runtime_checkable
class Locating(Protocol):
    """A source that can tell where a row stands in it, for error messages."""

    def places(self, table: Table, keys: Sequence[int]) -> Mapping[int, str]:
        """Where the rows with these primary keys stand ("loan.asc line 3, 9")."""


@runtime_checkable
class Sized(Protocol):
    """A source that knows, or can guess, how much there is to do."""

    def expected_rows(self, table: Table) -> int | None:
        """About how many rows the table has; None where that is not known."""


@runtime_checkable
class Closing(Protocol):
    """A source that holds something open from its first batch on."""

    def close(self) -> None:
        """Let go of it; batches may be asked for again afterwards."""


def open_source(spec: str) -> Source:
    """The source that `spec` names.

    Raises:
        SourceError: where it names none, or one that is missing or incomplete.
    """
    if spec == "sample" or spec.startswith("sample:"):
        return _sample(spec)
    if spec == "ctu":
        from loan_pipeline.bank.server_source import ctu_source

        return ctu_source()
    if is_address(spec):
        from loan_pipeline.bank.server_source import ServerSource

        return ServerSource(parse_address(spec))
    path = Path(spec).expanduser()
    if path.suffix.lower() == ".sql" or (path.is_dir() and any(path.glob("*.sql"))):
        from loan_pipeline.bank.dump import DumpSource

        return DumpSource(path)
    if path.is_dir() or path.suffix.lower() == ".zip":
        from loan_pipeline.bank.files import FilesSource

        return FilesSource(path)
    raise SourceError(
        f"There is no source {spec!r}: no such folder or file. A source is one of: {KNOWN}."
    )


def _sample(spec: str) -> Source:
    scale, seed = 1.0, 1
    options = [option for option in spec.partition(":")[2].split(",") if option]
    try:
        for option in options:
            name, _, value = option.partition("=")
            if name == "scale":
                scale = float(value)
            elif name == "seed":
                seed = int(value)
            else:
                raise ValueError(name)
        if not 0 < scale < float("inf"):
            raise ValueError("scale")
    except ValueError:
        raise SourceError(
            f"The source {spec!r} is not understood: write sample, or for example "
            "sample:scale=2,seed=7 with a scale above 0 and a whole seed."
        ) from None
    from loan_pipeline.bank.sample import SampleSource

    return SampleSource(scale=scale, seed=seed)
