"""What a feature table must look like: rows, nulls, ranges and codes, and drift between snapshots.

Plain functions on data frames as the builder makes them. Where their verdict is kept belongs to
`verdicts`.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from loan_pipeline.contracts.features import Feature
from loan_pipeline.contracts.verdict import Check, Problem
from loan_pipeline.quality.stability import ACT, Numbers, distribution, stability

DRIFT_WARNING = ACT


def table_rules(key: str) -> dict[str, str]:
    """The rules about the feature table with this key, by name."""
    what = key.removesuffix("_id")
    return {
        f"one_row_per_{what}": f"Every {what} known as of the snapshot, each once.",
        "values": "Nulls, codes and ranges are as the contract says.",
        "drift": "Each feature against the snapshot before; only a warning.",
    }


def feature_table_checks(
    frame: pd.DataFrame,
    key: str,
    features: Sequence[Feature],
    expected_rows: int,
    previous: pd.DataFrame | None,
) -> tuple[Check, ...]:
    """Evaluate every rule about a feature table.

    Args:
        frame: the table.
        key: "loan_id" or "account_id".
        features: those that it must hold.
        expected_rows: how many loans or accounts the snapshot knows.
        previous: the same table of an earlier snapshot of this bank, where there is one.
    """
    what = key.removesuffix("_id")
    return (
        Check.of_problems(
            f"one_row_per_{what}",
            tuple(key_problems(frame, key, expected_rows)),
            f"{len(frame):,} rows, one per {what}.",
        ),
        Check.of_problems(
            "values",
            tuple(value_problems(frame, key, features)),
            "Every value is within the contract.",
        ),
        drift_check(previous, frame, features),
    )


def drift_check(
    previous: pd.DataFrame | None, current: pd.DataFrame, features: Sequence[Feature]
) -> Check:
    """A warning: populations shift for good reasons too, and the gate judges the model itself."""
    if previous is None:
        nothing = "There is no earlier table of this bank to compare with."
        return Check(name="drift", passed=True, says=nothing, blocking=False)
    shifts = drift(previous, current, [one for one in features if one.name in previous])
    return Check.of_problems(
        "drift",
        tuple(
            Problem(place=name, text=f"has a population stability index of {shift:.2f}")
            for name, shift in shifts.items()
            if shift > DRIFT_WARNING
        ),
        f"No feature's population stability index is above {DRIFT_WARNING}.",
        blocking=False,
    ).model_copy(
        update={
            "figures": {"largest_population_stability_index": max(shifts.values(), default=0.0)}
        }
    )


def key_problems(frame: pd.DataFrame, key: str, expected_rows: int) -> list[Problem]:
    """One row per key: a loan that is there twice would cross from training into the test.

    Args:
        frame: a feature table.
        key: "loan_id" or "account_id".
        expected_rows: the rows of the raw table.
    """
    problems = []
    repeated = frame[key].duplicated(keep=False)
    if repeated.any():
        problems.append(_problem(frame, key, key, repeated, "is repeated"))
    if len(frame) != expected_rows:
        problems.append(
            Problem(
                place=key,
                text=f"has {len(frame):,} rows, but the snapshot knows {expected_rows:,}",
                rows=abs(len(frame) - expected_rows),
            )
        )
    return problems


def value_problems(frame: pd.DataFrame, key: str, features: Iterable[Feature]) -> list[Problem]:
    """Values that the contract does not allow: nulls, unknown codes, numbers out of range.

    Args:
        frame: a feature table; columns of features that it lacks are problems too.
        key: the column that names a row for people.
        features: those the table must hold.
    """
    problems = []
    for feature in features:
        if feature.name not in frame:
            missing = "is missing from the table"
            problems.append(Problem(place=feature.name, text=missing, rows=len(frame)))
            continue
        values = frame[feature.name]
        nulls = values.isna()
        if feature.null_means is None and nulls.any():
            problems.append(_problem(frame, key, feature.name, nulls, "is null"))
        if feature.codes:
            wrong = ~nulls & ~values.isin(feature.codes)
            text = f"is none of {', '.join(feature.codes)}"
        else:
            wrong = ~nulls & ~values.between(feature.minimum, feature.maximum)
            text = f"is not between {feature.minimum:,} and {feature.maximum:,}"
        if wrong.any():
            problems.append(_problem(frame, key, feature.name, wrong, text))
    return problems


def drift(
    previous: pd.DataFrame, current: pd.DataFrame, features: Iterable[Feature]
) -> dict[str, float]:
    """The population stability index of each feature against the previous snapshot's table.

    Numbers fall into the previous table's tenths, codes and nulls into bins of their own. 0 is no
    shift; above `DRIFT_WARNING` the populations differ.
    """
    return {
        feature.name: stability(
            distribution(_numbers(previous[feature.name], feature), len(feature.codes)),
            _numbers(current[feature.name], feature),
        ).index
        for feature in features
    }


def _problem(frame: pd.DataFrame, key: str, column: str, wrong: pd.Series, text: str) -> Problem:
    first = frame.loc[wrong, [key]].drop_duplicates().head(3)
    if column == key:
        examples = ", ".join(f"{key} {name}" for name in first[key])
    else:
        values = frame.loc[first.index, column]
        examples = ", ".join(
            f"{key} {name}: {value}" for name, value in zip(first[key], values, strict=True)
        )
    rows = int(wrong.sum())
    text = f"{text} in {rows:,} of {len(frame):,} rows ({examples})"
    return Problem(place=column, text=text, rows=rows)


def _numbers(values: pd.Series, feature: Feature) -> Numbers:
    if feature.codes:
        values = values.map({code: number for number, code in enumerate(feature.codes)})
    return values.to_numpy(dtype=np.float64, na_value=np.nan)
