"""Days and weeks of what was answered, in UTC. Weeks start on Mondays."""

from typing import Literal

import pandas as pd

Unit = Literal["day", "week"]
UNITS: tuple[Unit, ...] = ("day", "week")


def period_starts(times: pd.Series, unit: Unit) -> pd.Series:
    """The first day of the period of each point in time, as `datetime64` without a time zone."""
    days: pd.Series = times.dt.tz_convert("UTC").dt.tz_localize(None).dt.normalize()
    if unit == "day":
        return days
    mondays: pd.Series = days - pd.to_timedelta(days.dt.weekday, unit="D")
    return mondays
