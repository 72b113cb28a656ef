"""What is watched after a release: requests, drift, and how the answers turn out."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from loan_pipeline.contracts.features import FEATURE_SET_NAMES
from loan_pipeline.defs.checks import check_results, check_specs
from loan_pipeline.defs.keys import GROUPS, release_key
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.defs.presentation import markdown_table, picture
from loan_pipeline.defs.resources import CurrencyResource
from loan_pipeline.lake.feature_tables import FeatureTable, read_feature_table
from loan_pipeline.lake.protocol import Store
from loan_pipeline.monitoring import plots
from loan_pipeline.monitoring.baseline import Baseline, read_baselines
from loan_pipeline.monitoring.drift import SCORE, drift_by_period, latest_drift
from loan_pipeline.monitoring.performance import (
    expected_performance,
    matched_loans,
    realised_performance,
)
from loan_pipeline.monitoring.predictions import read_predictions
from loan_pipeline.monitoring.requests import request_figures
from loan_pipeline.monitoring.rules import DRIFT_RULES, PERFORMANCE_RULES, drift_checks
from loan_pipeline.monitoring.rules import performance_checks as judge_performance
from loan_pipeline.release.publish import releases

REQUESTS, DRIFT, PERFORMANCE = (
    dg.AssetKey(["monitoring", name]) for name in ("requests", "drift", "performance")
)
_GROUP = GROUPS["monitoring"]
_RELEASES = [release_key(name) for name in FEATURE_SET_NAMES]
# Reading is all that these do: a store that is away for a moment is asked again.
_RETRY = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL)


class PeriodConfig(dg.Config):
    """How far back to look."""

    days: int = Field(default=91, ge=1, description="How many days back, today included.")


class DriftRecord(BaseModel):
    """What the last look at drift found, for the sensor that asks for retraining.

    Attributes:
        acted_on: the names beyond the limit for action, by feature set.
        versions: the releases that were compared with, by feature set.
    """

    model_config = ConfigDict(frozen=True)

    measured_at: datetime
    acted_on: dict[str, list[str]]
    versions: dict[str, str]


def _today() -> date:
    return datetime.now(UTC).date()


def _rows(store: Store, days: int) -> pd.DataFrame:
    return read_predictions(store, _today() - timedelta(days=days - 1), _today())


def _current_versions(store: Store) -> dict[str, str]:
    return {
        name: one.version
        for name in FEATURE_SET_NAMES
        for one in releases(store, name)
        if one.current
    }


def _baselines(store: Store, rows: pd.DataFrame) -> dict[str, Baseline]:
    found: dict[str, Baseline] = {}
    for name in FEATURE_SET_NAMES:
        versions = rows.loc[rows["feature_set"] == name, "model_version"].unique()
        found |= read_baselines(store, name, versions)
    return found


@dg.asset(
    key=REQUESTS, group_name=_GROUP, deps=_RELEASES, kinds={"pandas", "store"}, retry_policy=_RETRY
)
def requests(config: PeriodConfig, lake: LakeResource) -> dg.MaterializeResult[None]:
    """Volumes, the shares refused and referred, and latency of the web apps, by day and by week."""
    rows = _rows(lake.open(), config.days)
    days, weeks = request_figures(rows, "day"), request_figures(rows, "week")
    week_ago = pd.Timestamp.now(tz="UTC") - pd.Timedelta(days=7)
    recent = rows[rows["answered_at"] >= week_ago]
    figures: dict[str, Any] = {"answers_7d": len(recent)}
    if len(recent):
        figures["share_refused_7d"] = float((recent["prediction"] != "paid_off").mean())
        figures["share_referred_7d"] = float(recent["referred"].mean())
        single = recent.loc[recent["line"].isna(), "milliseconds"]
        figures |= {"p95_ms_7d": float(single.quantile(0.95))} if len(single) else {}
    return dg.MaterializeResult(
        metadata=figures
        | {
            "volumes": picture("volumes", plots.volumes(days)),
            "latency": picture("latency", plots.latency(days)),
            "weeks": markdown_table(weeks),
            "last_days": markdown_table(days.tail(14)),
        }
    )


@dg.asset(
    key=DRIFT,
    group_name=_GROUP,
    deps=_RELEASES,
    kinds={"pandas", "store"},
    retry_policy=_RETRY,
    check_specs=check_specs(DRIFT, DRIFT_RULES, warnings=tuple(DRIFT_RULES)),
)
def drift(
    config: PeriodConfig, lake: LakeResource, currency: CurrencyResource
) -> Iterator[dg.MaterializeResult[DriftRecord]]:
    """The population stability index of the score and of each feature, by day and by week.

    Requests are compared with the distributions of the loans that their release learned from.
    """
    store = lake.open()
    rows, now = _rows(store, config.days), datetime.now(UTC)
    baselines, versions = _baselines(store, rows), _current_versions(store)
    latest = latest_drift(rows, baselines, now)
    latest = latest[latest["model_version"].isin(versions.values())]
    acted_on = latest[latest["level"] == "act"]
    record = DriftRecord(
        measured_at=now,
        acted_on={name: part["name"].tolist() for name, part in acted_on.groupby("feature_set")},
        versions=versions,
    )
    days, weeks = (drift_by_period(rows, baselines, unit) for unit in ("day", "week"))
    figures: dict[str, Any] = {}
    for name in FEATURE_SET_NAMES:
        part = latest[latest["feature_set"] == name]
        if part.empty:
            continue
        score, features = part[part["name"] == SCORE], part[part["name"] != SCORE]
        figures |= {
            f"{name}_score_index": float(score["index"].iloc[0]),
            f"{name}_largest_feature_index": float(features["index"].max()),
            **{
                f"{name}_{when}": picture(name, currency.label(drawing))
                for when, drawing in (
                    ("last_7_days", plots.drift_bars(latest, name)),
                    ("by_week", plots.drift_over_time(weeks, name)),
                    ("by_day", plots.drift_over_time(days, name)),
                )
            },
        }
    yield dg.MaterializeResult(
        value=record,
        metadata=figures
        | {
            "answers_without_a_baseline": int((~rows["model_version"].isin(list(baselines))).sum()),
            "beyond_limits": markdown_table(_beyond(latest)),
        },
        check_results=check_results(DRIFT, drift_checks(latest)),
    )


@dg.asset(
    key=PERFORMANCE,
    group_name=_GROUP,
    deps=_RELEASES,
    kinds={"pandas", "store"},
    retry_policy=_RETRY,
    check_specs=check_specs(PERFORMANCE, PERFORMANCE_RULES, warnings=tuple(PERFORMANCE_RULES)),
)
def performance(
    config: PeriodConfig, loan_features: FeatureTable, lake: LakeResource
) -> Iterator[dg.MaterializeResult[None]]:
    """Expected from the calibrated probabilities; realised once requests have become loans.

    All answers ever shipped are matched with the loans of the snapshot; `days` bounds only the
    expected figures.
    """
    store = lake.open()
    rows = read_predictions(store, date.min, _today())
    since = pd.Timestamp.now(tz="UTC") - pd.Timedelta(days=config.days)
    recent = rows[rows["answered_at"] >= since]
    expected = expected_performance(recent, "week")
    columns = ["loan_id", "account_id", "date", "status", "amount", "duration"]
    matched = matched_loans(rows, read_feature_table(store, loan_features, columns))
    targets = {
        one.version: one.manifest.training.target
        for name in FEATURE_SET_NAMES
        for one in releases(store, name)
    }
    realised = realised_performance(matched, targets)
    figures: dict[str, Any] = {"answers": len(rows), "requests_that_became_loans": len(matched)}
    newest = realised.tail(1)
    if len(newest) and newest["roc_auc"].notna().all():
        figures["realised_roc_auc"] = float(newest["roc_auc"].iloc[0])
    yield dg.MaterializeResult(
        metadata=figures
        | {
            "expected_by_week": picture("expected", plots.expected_over_time(expected)),
            "realised_by_release": picture("realised", plots.realised_bars(realised)),
            "expected": markdown_table(expected.tail(13)),
            "realised": markdown_table(realised),
        },
        check_results=check_results(PERFORMANCE, judge_performance(realised)),
    )


def _beyond(latest: pd.DataFrame) -> pd.DataFrame:
    return latest[latest["level"].isin(["watch", "act"])].sort_values("index", ascending=False)


def monitoring() -> dg.Definitions:
    """The three assets."""
    return dg.Definitions(assets=[requests, drift, performance])
