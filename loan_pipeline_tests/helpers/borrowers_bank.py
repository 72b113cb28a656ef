"""A sample bank of those accounts alone that have a loan: fast to fill, and enough to train on."""

from pathlib import Path

import pandas as pd

from loan_pipeline.sources.sample import SampleSource, write_pkdd

_BY_ACCOUNT = ("account", "disp", "order", "trans")


def write_files(folder: Path, scale: float) -> Path:
    """As PKDD'99 files: the loans of the sample bank, a seventh of its transactions."""
    write_pkdd(SampleSource(scale=scale, seed=1), folder)
    accounts = _read(folder, "loan")["account_id"]
    kept = {name: _of(_read(folder, name), "account_id", accounts) for name in _BY_ACCOUNT}
    kept["client"] = _of(_read(folder, "client"), "client_id", kept["disp"]["client_id"])
    kept["card"] = _of(_read(folder, "card"), "disp_id", kept["disp"]["disp_id"])
    for name, rows in kept.items():
        rows.to_csv(folder / f"{name}.asc", sep=";", index=False)
    return folder


def _read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.asc", sep=";", dtype=str, keep_default_na=False)


def _of(rows: pd.DataFrame, column: str, values: pd.Series) -> pd.DataFrame:
    return rows[rows[column].isin(values)]
