"""The lake as a resource; a file of its own, since the IO manager and other resources use it."""

import dagster as dg
from pydantic import Field

from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.protocol import Store


class LakeResource(dg.ConfigurableResource[Store]):
    """The store of snapshots, features, predictors and releases."""

    url: str = Field(description="file:///folder or s3://bucket/prefix.")
    keep_snapshots: int = Field(default=5, ge=1, description="How many snapshots stay.")

    def open(self) -> Store:
        """Give the store."""
        return open_store(self.url)
