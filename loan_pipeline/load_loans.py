"""Measurements without a Dagster run: from a source straight to the loans' features.

Goes the pipeline's own way (bank, snapshot, features) in a folder that is thrown away, so that a
figure measured here is a figure of the product.
"""

import tempfile
from pathlib import Path

import pandas as pd

from loan_pipeline.bank.embedded.database import EmbeddedBank
from loan_pipeline.features.engine import feature_batches
from loan_pipeline.lake.direct import export_direct
from loan_pipeline.lake.open import open_store
from loan_pipeline.sources.open import open_source


def load_loans(source: str, *, bastion: str | None = None) -> pd.DataFrame:
    """The feature row of every loan in a source.

    Args:
        source: `sample`, a folder of PKDD'99 files, or another source that the embedded bank takes.
        bastion: the SSH host through which a server is reached.

    Returns:
        One row per loan, as `features.loan_features` makes them; dates as `datetime64`.
    """
    with tempfile.TemporaryDirectory(prefix="loan-pipeline-") as folder:
        home = Path(folder)
        bank = EmbeddedBank(home / "bank.duckdb")
        bank.fill(open_source(source, bastion=bastion))
        store = open_store((home / "lake").as_uri())
        snapshot = export_direct(bank, store, source=bank.filled_from())
        with feature_batches(store, snapshot, "loan_features") as batches:
            loans: pd.DataFrame = batches.read_all().to_pandas(date_as_object=False)
    return loans
