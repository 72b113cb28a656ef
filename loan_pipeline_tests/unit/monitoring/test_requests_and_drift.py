"""Requests are counted, and drift is found where it is and nowhere else."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from loan_pipeline.monitoring.drift import drift_by_period, latest_drift
from loan_pipeline.monitoring.periods import period_starts
from loan_pipeline.monitoring.plots import drift_bars, drift_over_time, latency, volumes
from loan_pipeline.monitoring.requests import request_figures
from loan_pipeline_tests.helpers.answers import VERSION, answers, baseline


def test_weeks_start_on_mondays_in_utc() -> None:
    times = pd.Series(pd.to_datetime(["2026-11-22T23:30:00Z", "2026-11-23T00:30:00Z"]))
    assert period_starts(times, "week").dt.day.tolist() == [16, 23]
    assert period_starts(times, "day").dt.day.tolist() == [22, 23]


def test_requests_are_counted_by_period_and_feature_set() -> None:
    rows = pd.concat(
        [
            answers(70, start="2026-11-02", days=7, seed=1),
            answers(30, start="2026-11-09", days=7, seed=2, source="batch", line=4),
            answers(10, start="2026-11-09", days=7, seed=3, feature_set="application"),
        ]
    )
    figures = request_figures(rows, "week")
    assert figures["answers"].tolist() == [70, 10, 30]
    assert figures["batch"].tolist() == [0, 0, 30]
    assert figures["api"].tolist() == [70, 10, 0]
    assert figures["share_referred"][0] == pytest.approx(18 / 70)
    first = rows.iloc[:70]
    assert figures["share_refused"][0] == (first["prediction"] == "not_paid_off").mean()
    assert figures["p50_ms"][0] == pytest.approx(np.median(first["milliseconds"]))
    assert np.isnan(figures["p95_ms"][2])  # a batch's lines have no latency of their own
    assert figures["versions"][0] == VERSION
    assert len(request_figures(rows, "day")) == 7 + 7 + 7


def test_requests_like_the_release_s_loans_are_stable() -> None:
    rows = answers(1_400, start="2026-11-02")
    drift = drift_by_period(rows, {VERSION: baseline()}, "week")
    assert set(drift["name"]) == {"score", "balance_mean_czk", "gender"}
    assert set(drift["level"]) == {"stable"}


def test_a_shifted_feature_is_found_alone_and_in_its_week() -> None:
    rows = pd.concat(
        [
            answers(700, start="2026-11-02", days=7, seed=1),
            answers(700, start="2026-11-09", days=7, seed=2, shift=1.5),
        ]
    )
    drift = drift_by_period(rows, {VERSION: baseline()}, "week")
    found = drift[drift["level"] == "act"]
    assert found["name"].tolist() == ["balance_mean_czk"]
    assert found["period"].dt.day.tolist() == [9]


def test_a_few_answers_say_nothing() -> None:
    rows = answers(20, start="2026-11-02", shift=3.0)
    drift = drift_by_period(rows, {VERSION: baseline()}, "week")
    assert set(drift["level"]) == {"too few"}


def test_answers_of_releases_without_a_baseline_are_left_out() -> None:
    rows = answers(100, start="2026-11-02", model_version="another")
    assert drift_by_period(rows, {VERSION: baseline()}, "week").empty


def test_answers_from_before_features_were_recorded_show_the_score_alone() -> None:
    rows = answers(100, start="2026-11-02", days=7, features="{}")
    assert drift_by_period(rows, {VERSION: baseline()}, "week")["name"].tolist() == ["score"]


def test_the_last_seven_days_are_judged_as_one() -> None:
    rows = pd.concat(
        [
            answers(300, start="2026-10-01", days=20, seed=1, shift=3.0),
            answers(300, start="2026-11-10", days=14, seed=2),
        ]
    )
    now = datetime(2026, 11, 24, tzinfo=UTC)
    drift = latest_drift(rows, {VERSION: baseline()}, now)
    assert len(drift) == 3
    assert set(drift["n"]) == {150}
    assert set(drift["level"]) == {"stable"}


def test_pictures_are_drawn_with_figures_and_without() -> None:
    rows = answers(200, start="2026-11-02", shift=1.0)
    baselines = {VERSION: baseline()}
    week = drift_by_period(rows, baselines, "week")
    for figures, drift in (
        (request_figures(rows, "day"), week),
        (request_figures(rows[:0], "day"), week[:0]),
    ):
        for svg in (
            volumes(figures),
            latency(figures),
            drift_over_time(drift, "behavioural"),
            drift_bars(drift, "behavioural"),
        ):
            assert svg.startswith("<?xml")
    assert "average balance" in drift_bars(week, "behavioural")
