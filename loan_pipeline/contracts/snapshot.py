"""The manifest of a snapshot: what one consistent copy of the bank's tables holds."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class SnapshotFile(BaseModel):
    """One Parquet file; `key` is relative to the snapshot's own folder."""

    model_config = ConfigDict(frozen=True)

    key: str
    rows: int
    bytes: int
    sha256: str | None = None  # None where the exporter is RDS, which gives none


class SnapshotTable(BaseModel):
    """One table's part of the snapshot."""

    model_config = ConfigDict(frozen=True)

    rows: int
    files: tuple[SnapshotFile, ...]


class SnapshotManifest(BaseModel):
    """Written last: a snapshot without it does not exist.

    Attributes:
        as_of: the day after the newest transaction; the snapshot knows everything strictly
            before this day, so it is the spine's date for scoring.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    snapshot_id: str
    created_at: datetime
    exporter: Literal["direct", "rds"]
    bank: str  # never with a password
    source: str | None = None  # what filled the bank, where known
    as_of: date
    tables: dict[str, SnapshotTable]

    @property
    def contents(self) -> str:
        """Which bank this is a copy of: the same number means the same loan within one alone."""
        return f"{self.bank}, filled from {self.source}" if self.source else self.bank
