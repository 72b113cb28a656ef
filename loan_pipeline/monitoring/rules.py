"""What is a warning and what an error about drift and realised performance."""

import pandas as pd

from loan_pipeline.contracts.verdict import Check, Problem
from loan_pipeline.quality.stability import ACT, WATCH
from loan_pipeline.release.gate import LARGEST_CALIBRATION_BIAS

DRIFT_RULES = {
    "watch_limit": f"No population stability index of the last 7 days is above {WATCH}; a warning.",
    "act_limit": f"No population stability index of the last 7 days is above {ACT}: beyond it a "
    "model is trained again.",
}
PERFORMANCE_RULES = {
    "calibration": "Requests that became loans are paid off as often as the answers said; a "
    "warning."
}


def drift_checks(latest: pd.DataFrame) -> tuple[Check, ...]:
    """Both limits; what chance explains passes, and so does what too few answers show.

    Args:
        latest: as of `latest_drift`, of the current releases.
    """
    largest = float(latest.loc[latest["level"] != "too few", "index"].max())
    figures = {"largest_index": largest} if largest == largest else {}
    found = [
        _drift_check("watch_limit", WATCH, latest, ["watch", "act"], blocking=False),
        _drift_check("act_limit", ACT, latest, ["act"], blocking=True),
    ]
    return tuple(check.model_copy(update={"figures": figures}) for check in found)


def performance_checks(realised: pd.DataFrame) -> tuple[Check, ...]:
    """Whether each release's probabilities hold.

    Args:
        realised: as of `realised_performance`.
    """
    problems = []
    for row in realised.to_dict("records"):
        beyond = max(
            row["calibration_bias_low"] - LARGEST_CALIBRATION_BIAS,
            -LARGEST_CALIBRATION_BIAS - row["calibration_bias_high"],
        )
        if beyond > 0:
            problems.append(
                Problem(
                    place=str(row["model_version"]),
                    text=f"expected {row['expected_not_paid_off']:.1%} of {row['n']} loans not to "
                    f"be paid off, and {row['share_not_paid_off']:.1%} were not",
                )
            )
    return (
        Check.of_problems(
            "calibration",
            tuple(problems),
            f"{int(realised['n'].sum())} requests have become loans with a known outcome; no "
            "release's probabilities are off beyond chance.",
            blocking=False,
        ),
    )


def _drift_check(
    name: str, limit: float, latest: pd.DataFrame, levels: list[str], *, blocking: bool
) -> Check:
    beyond = latest[latest["level"].isin(levels)].sort_values("index", ascending=False)
    problems = tuple(
        Problem(
            place=f"{row['feature_set']} {row['name']}",
            text=f"has an index of {row['index']:.2f} over {row['n']} answers",
        )
        for row in beyond.to_dict("records")
    )
    judged = latest[latest["level"] != "too few"]
    good = (
        f"{len(judged)} indices are at most {limit}, or no larger than chance makes them."
        if len(judged)
        else "Too few answers of the current releases in the last 7 days."
    )
    return Check.of_problems(name, problems, good, blocking=blocking)
