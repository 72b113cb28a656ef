"""The pictures of monitoring, as SVG. Figures come from the modules beside this one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loan_pipeline.contracts.features import FEATURES_BY_NAME
from loan_pipeline.evaluation.svg import BAD, GOOD, INK, OTHER, Drawing, picture
from loan_pipeline.monitoring.drift import SCORE
from loan_pipeline.quality.stability import ACT, WATCH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 12  # features in one picture
_LEVELS = {"act": BAD, "watch": "#e69f00", "stable": GOOD, "too few": "#999999"}


def volumes(figures: pd.DataFrame) -> str:
    """Answers by period, and those of them that were refused or referred to a person."""
    with _over_time(figures, "answers") as (axes, drawing):
        for name, part, colour in _by_set(figures):
            day, answers = part["period"], part["answers"]
            referred, refused = (answers * part[f"share_{one}"] for one in ("referred", "refused"))
            axes.plot(day, answers, "o-", ms=3, c=colour, label=name)
            axes.plot(day, referred, "x", ms=4, c=colour, alpha=0.7, label=f"{name}, referred")
            axes.plot(day, refused, "o:", ms=3, c=colour, alpha=0.7, label=f"{name}, refused")
    return drawing()


def latency(figures: pd.DataFrame) -> str:
    """How long requests for one answer took, by period."""
    measured = figures[figures["p50_ms"].notna()]
    with _over_time(measured, "milliseconds") as (axes, drawing):
        worst = measured.groupby("period")[["p50_ms", "p95_ms", "p99_ms"]].max()
        for name, colour in (("p50_ms", GOOD), ("p95_ms", OTHER), ("p99_ms", BAD)):
            axes.plot(worst.index, worst[name], "o-", ms=3, c=colour, label=name[:3])
    return drawing()


def drift_over_time(drift: pd.DataFrame, name: str) -> str:
    """The index of the score, and of the features that have moved most, by period.

    Args:
        drift: as of `drift_by_period`.
        name: the feature set.
    """
    part = drift[(drift["feature_set"] == name) & (drift["level"] != "too few")]
    by_period = part.groupby(["period", "name"])["index"].max().unstack("name")
    with _over_time(part, "population stability index") as (axes, drawing):
        moved = by_period.drop(columns=SCORE, errors="ignore")
        largest = moved.iloc[-1:].max().sort_values(ascending=False).index[:4]
        colours = (OTHER, "#cc79a7", "#56b4e9", "#e69f00")
        for feature, colour in zip(largest, colours, strict=False):
            axes.plot(
                moved.index, moved[feature], "o-", ms=3, lw=1, c=colour, label=_label(str(feature))
            )
        if SCORE in by_period:
            axes.plot(by_period.index, by_period[SCORE], "o-", ms=4, lw=2, c=INK, label="score")
        _limits(axes)
    return drawing()


def drift_bars(latest: pd.DataFrame, name: str) -> str:
    """The index of the score and of the features that have moved most, over the last days.

    Args:
        latest: as of `latest_drift`.
        name: the feature set.
    """
    part = latest[latest["feature_set"] == name]
    score, features = part[part["name"] == SCORE], part[part["name"] != SCORE]
    shown = pd.concat([features.nlargest(_SHOWN, "index").iloc[::-1], score])
    with picture(width=7.0, height=1.0 + 0.3 * max(len(shown), 1)) as (axes, drawing):
        labels = [_label(str(one)) for one in shown["name"]]
        places = np.arange(len(shown))
        axes.barh(places, shown["index"], color=[_LEVELS[one] for one in shown["level"]])
        axes.plot(shown["by_chance"], places, "|", c=INK, ms=12, label="by chance alone")
        axes.set_yticks(places, labels)
        _limits(axes, vertical=True)
        axes.set(xlabel="population stability index, last 7 days")
        _legend(axes, shown)
    return drawing()


def expected_over_time(expected: pd.DataFrame) -> str:
    """The share of loans expected not to be paid off, by period."""
    with _over_time(expected, "expected share not paid off") as (axes, drawing):
        for name, part, colour in _by_set(expected):
            day, accepted = part["period"], part["share_not_paid_off_accepted"]
            axes.plot(day, part["share_not_paid_off"], "o-", ms=3, c=colour, label=name)
            axes.plot(day, accepted, "o:", ms=3, c=colour, label=f"{name}, accepted")
    return drawing()


def realised_bars(realised: pd.DataFrame) -> str:
    """ROC AUC of the loans that requests became, by release, with its interval."""
    shown = realised[realised["roc_auc"].notna()]
    with picture(width=7.0, height=1.0 + 0.5 * max(len(shown), 1)) as (axes, drawing):
        places = np.arange(len(shown))
        below = shown["roc_auc"] - shown["roc_auc_low"]
        above = shown["roc_auc_high"] - shown["roc_auc"]
        axes.errorbar(
            shown["roc_auc"], places, xerr=[below, above], fmt="o", c=GOOD, ecolor=INK, capsize=3
        )
        labels = [
            f"{one.model_version}\n{one.n} loans, {one.bad} not paid off"
            for one in shown.itertuples()
        ]
        axes.set_yticks(places, labels)
        axes.set(xlabel="ROC AUC, realised", xlim=(min(0.5, shown["roc_auc_low"].min()), 1))
    return drawing()


def portfolio_bars(totals: pd.DataFrame, by: str) -> str:
    """Expected loss by region, duration or vintage."""
    shown = totals[totals[by] != "all"].iloc[::-1]
    with picture(width=7.0, height=0.8 + 0.3 * max(len(shown), 1)) as (axes, drawing):
        axes.barh(shown[by], shown["expected_loss_czk"] / 1000, color=BAD)
        for place, share in enumerate(shown["expected_loss_share"]):
            loss = shown["expected_loss_czk"].iloc[place] / 1000
            axes.text(loss, place, f" {share:.1%}", va="center", c=INK)
        axes.margins(x=0.12)
        axes.set(xlabel="expected loss, thousand CZK; share of the exposure beside it", ylabel=by)
    return drawing()


@contextmanager
def _over_time(figures: pd.DataFrame, what: str) -> "Iterator[tuple[Axes, Drawing]]":
    """A picture with days to the right and amounts of `what` from 0 upwards."""
    with picture(width=7.0, height=3.2) as (axes, drawing):
        yield axes, drawing
        axes.set(ylabel=what)
        axes.set_ylim(bottom=0)
        _dates(axes, figures)
        _legend(axes, figures)


def _by_set(figures: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, str]]:
    """Each feature set's name, figures and colour."""
    for (name, part), colour in zip(figures.groupby("feature_set"), (GOOD, OTHER), strict=False):
        yield str(name), part, colour


def _limits(axes: "Axes", *, vertical: bool = False) -> None:
    for limit in (WATCH, ACT):
        (axes.axvline if vertical else axes.axhline)(limit, c=INK, lw=0.7, ls=":")


def _dates(axes: "Axes", figures: pd.DataFrame) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    if len(figures):
        locator = AutoDateLocator(minticks=2, maxticks=8)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(
            ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
        )


def _legend(axes: "Axes", figures: pd.DataFrame) -> None:
    if len(figures):
        axes.legend(loc="best", fontsize="small")


def _label(name: str) -> str:
    return FEATURES_BY_NAME[name].label if name in FEATURES_BY_NAME else name
