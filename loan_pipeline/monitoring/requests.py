"""What the web app was asked: how much, how often it refused, how fast it answered."""

from typing import Any

import numpy as np
import pandas as pd

from loan_pipeline.monitoring.periods import Unit, period_starts

SOURCES = ("form", "api", "batch")
_QUANTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


def request_figures(rows: pd.DataFrame, unit: Unit) -> pd.DataFrame:
    """Volumes, shares and latency by period and feature set.

    Args:
        rows: as of `read_predictions`.
        unit: the length of a period.

    Returns:
        One row per period and feature set, oldest first: `period`, `feature_set`, `answers`, of
        them by source `form`, `api` and `batch`, `share_refused`, `share_referred`, the latencies
        `p50_ms`, `p95_ms` and `p99_ms` of requests for one answer (NaN where there are none),
        `versions`.
    """
    keys = [period_starts(rows["answered_at"], unit).rename("period"), rows["feature_set"]]
    records = [
        {"period": period, "feature_set": name, **_figures(part)}
        for (period, name), part in rows.groupby(keys, sort=True)
    ]
    shares = ["share_refused", "share_referred"]
    columns = ["period", "feature_set", "answers", *SOURCES, *shares, *_QUANTILES, "versions"]
    return pd.DataFrame.from_records(records, columns=columns)


def _figures(part: pd.DataFrame) -> dict[str, Any]:
    single = part.loc[part["line"].isna(), "milliseconds"].to_numpy(dtype=np.float64)
    latency = {
        name: float(np.quantile(single, share)) if len(single) else np.nan
        for name, share in _QUANTILES.items()
    }
    return {
        "answers": len(part),
        **{source: int((part["source"] == source).sum()) for source in SOURCES},
        "share_refused": float((part["prediction"] != "paid_off").mean()),
        "share_referred": float(part["referred"].mean()),
        **latency,
        "versions": ", ".join(sorted(part["model_version"].unique())),
    }
