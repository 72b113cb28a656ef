"""Drift: how far scores and features of requests have moved from the release's own loans."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd

from loan_pipeline.monitoring.baseline import Baseline
from loan_pipeline.monitoring.periods import Unit, period_starts
from loan_pipeline.monitoring.predictions import numbers_of
from loan_pipeline.quality.stability import ACT, WATCH, Stability, stability

Level = Literal["too few", "stable", "watch", "act"]

SCORE = "score"  # what the probability of being paid off is called among the features
FEWEST = 50  # answers; with fewer, an index says nothing
LATEST_DAYS = 7
_COLUMNS = [
    *("period", "feature_set", "model_version", "name"),
    *("n", "index", "by_chance", "level"),
]


def drift_by_period(
    rows: pd.DataFrame, baselines: Mapping[str, Baseline], unit: Unit
) -> pd.DataFrame:
    """The population stability index of the score and of each feature, by period and release.

    Args:
        rows: as of `read_predictions`.
        baselines: by version of the release; answers of others are left out.
        unit: the length of a period.

    Returns:
        Oldest first: `period`, `feature_set`, `model_version`, `name` ("score" or a feature's), `n`
        answers, `index`, `by_chance` (what one comparison in a hundred exceeds with no drift) and
        `level`.
    """
    return _compared(rows, baselines, period_starts(rows["answered_at"], unit))


def latest_drift(
    rows: pd.DataFrame, baselines: Mapping[str, Baseline], now: datetime
) -> pd.DataFrame:
    """The same over the last seven days as one period, which is what the checks judge."""
    start = pd.Timestamp(now - timedelta(days=LATEST_DAYS))
    recent = rows[rows["answered_at"] >= start]
    day = start.tz_localize(None).normalize()
    return _compared(recent, baselines, pd.Series(day, index=recent.index))


def _compared(
    rows: pd.DataFrame, baselines: Mapping[str, Baseline], periods: pd.Series
) -> pd.DataFrame:
    known = rows["model_version"].isin(list(baselines))
    rows, periods = rows[known], periods[known]
    keys = [periods.rename("period"), rows["feature_set"], rows["model_version"]]
    records = [
        {"period": period, "feature_set": name, "model_version": version, **record}
        for (period, name, version), part in rows.groupby(keys, sort=True)
        for record in _indices(part, baselines[str(version)])
    ]
    return pd.DataFrame.from_records(records, columns=_COLUMNS)


def _indices(part: pd.DataFrame, baseline: Baseline) -> Iterator[dict[str, Any]]:
    # Answers from before features were recorded have none.
    values = numbers_of(part.loc[part["features"] != "{}", "features"])
    comparisons = 1 + len(baseline.features)
    for name, distribution in {SCORE: baseline.score, **baseline.features}.items():
        if name == SCORE:
            column = part["probability_paid_off"]
        elif name in values:
            column = values[name]
        else:
            continue
        found = stability(distribution, column.to_numpy(dtype=np.float64), comparisons)
        yield {
            "name": name,
            "n": found.n,
            "index": found.index,
            "by_chance": found.by_chance,
            "level": _level(found),
        }


def _level(found: Stability) -> Level:
    if found.n < FEWEST:
        return "too few"
    if found.exceeds(ACT):
        return "act"
    return "watch" if found.exceeds(WATCH) else "stable"
