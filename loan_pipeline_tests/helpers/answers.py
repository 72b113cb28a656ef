"""Tables of answers for tests of monitoring, as they are read from the lake."""

import json
from typing import Any

import numpy as np
import pandas as pd

from loan_pipeline.contracts.features import FEATURES_BY_NAME
from loan_pipeline.monitoring.baseline import Baseline
from loan_pipeline.quality.stability import distribution

VERSION = "20261101T000000Z-aaaaaaaa"
FEATURE_NAMES = ("balance_mean_czk", "gender")


def answers(n: int, *, start: str, days: int = 14, seed: int = 0, **changes: Any) -> pd.DataFrame:
    """Answers over some days from a population that scores 0.9 on average.

    Args:
        n: how many.
        start: the first day.
        days: how many days they spread over, evenly.
        seed: of the random values.
        changes: columns to set, and `shift`, by how many standard deviations the balance is off.
    """
    random = np.random.default_rng(seed)
    shift = changes.pop("shift", 0.0)
    times = pd.Timestamp(start, tz="UTC") + pd.to_timedelta(np.arange(n) * days * 24 / n, unit="h")
    probabilities = random.beta(18, 2, n)
    values = np.column_stack(
        [random.normal(30_000 + 10_000 * shift, 10_000, n), random.integers(0, 2, n)]
    )
    rows = pd.DataFrame(
        {
            "prediction_id": [f"{seed}-{number}" for number in range(n)],
            "answered_at": times,
            "milliseconds": random.uniform(1, 3, n),
            "line": pd.array([None] * n, dtype="Int64"),
            "source": "api",
            "feature_set": "behavioural",
            "model_version": VERSION,
            "account_id": pd.array(np.arange(n), dtype="Int64"),
            "inputs": [
                json.dumps({"account_id": i, "amount": 9_600, "duration": 24}) for i in range(n)
            ],
            "features": [
                json.dumps(dict(zip(FEATURE_NAMES, row, strict=True))) for row in values.tolist()
            ],
            "probability_paid_off": probabilities,
            "referred": (np.arange(n) % 4 == 0).astype(np.int64),
            "prediction": np.where(probabilities >= 0.8, "paid_off", "not_paid_off"),
        }
    )
    return rows.assign(**changes)


def baseline(n: int = 2_000, seed: int = 99) -> Baseline:
    """The baseline of a release that learned from the same population."""
    rows = answers(n, start="2026-01-01", seed=seed)
    values = pd.DataFrame([json.loads(text) for text in rows["features"]])
    return Baseline(
        score=distribution(rows["probability_paid_off"].to_numpy()),
        features={
            name: distribution(
                values[name].to_numpy(dtype=float), len(FEATURES_BY_NAME[name].codes)
            )
            for name in FEATURE_NAMES
        },
    )
