"""From loans to what a model sees: numbers in the contract's order, and outcomes.

Which outcomes count, and how codes become numbers, is decided here and nowhere else.
"""

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from loan_pipeline.contracts.features import Feature, FeatureSet, feature_set
from loan_pipeline.training.errors import UnsuitableLoans

Target = Literal["observed", "finished"]
TARGETS: tuple[Target, ...] = ("observed", "finished")

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Whether a loan's status counts as paid off, by target (A finished and paid, B finished and not
# paid, C running and in order, D running and in debt).
_PAID_OFF: dict[Target, dict[str, int]] = {
    "observed": {"A": 1, "B": 0, "C": 1, "D": 0},
    "finished": {"A": 1, "B": 0},
}

# With fewer loans of the rarer outcome, some of the default recipe's five folds hold none.
FEWEST_OF_AN_OUTCOME = 5


def with_outcome(loans: pd.DataFrame, target: Target) -> pd.DataFrame:
    """The loans whose outcome the target knows, oldest first, with a column `paid_off` (1, 0).

    Args:
        loans: one row per loan with `loan_id`, `date` and `status`.
        target: "observed" counts running loans too, "finished" does not.

    Raises:
        UnsuitableLoans: a loan occurs twice, or a status is unknown.
    """
    _require_columns(loans, ("loan_id", "date", "status"))
    repeated = loans.loc[loans["loan_id"].duplicated(), "loan_id"]
    if not repeated.empty:
        raise UnsuitableLoans(
            f"{len(repeated)} loans occur more than once, for instance loan "
            f"{repeated.iloc[0]}: the table of loans must hold one row per loan"
        )
    unknown = set(loans["status"].dropna()) - set(_PAID_OFF["observed"])
    if unknown or loans["status"].isna().any():
        raise UnsuitableLoans(
            f"loan.status must be one of A, B, C, D, not {sorted(unknown) or 'empty'}"
        )
    outcome = loans["status"].map(_PAID_OFF[target])
    known = loans.assign(paid_off=outcome, date=pd.to_datetime(loans["date"]))
    known = known[outcome.notna()].astype({"paid_off": "int64"})
    return known.sort_values(["date", "loan_id"], ignore_index=True)


def require_enough(loans: pd.DataFrame, what: str, fewest: int = FEWEST_OF_AN_OUTCOME) -> None:
    """Refuse loans with fewer than `fewest` of either outcome.

    Args:
        loans: as of `with_outcome`.
        what: what the loans are for, for people ("training", "the test").
        fewest: how many of each outcome are needed.

    Raises:
        UnsuitableLoans: there are not enough.
    """
    paid = int(loans["paid_off"].sum())
    bad = len(loans) - paid
    if min(paid, bad) < fewest:
        raise UnsuitableLoans(
            f"{what} needs at least {fewest} paid and {fewest} unpaid loans, and has {paid} paid "
            f"and {bad} unpaid; take a longer period, or the target `observed`, which counts "
            "running loans too"
        )


def model_inputs(
    loans: pd.DataFrame, name: FeatureSet, excluded: Collection[str] = ()
) -> pd.DataFrame:
    """What the model sees: one float32 column per feature, in the contract's order.

    Codes become their numbers, nulls and unknown codes become NaN.

    Args:
        loans: rows with the features' columns.
        name: the feature set.
        excluded: features of it to leave out.

    Raises:
        UnsuitableLoans: a column is missing, or holds no numbers.
    """
    features = feature_set(name, excluded)
    _require_columns(loans, [feature.name for feature in features])
    columns = {feature.name: encoded(loans, feature) for feature in features}
    return pd.DataFrame(columns, index=loans.index).astype("float32")


def reference_loan(inputs: pd.DataFrame, features: Sequence[Feature]) -> tuple[float | None, ...]:
    """The model's numbers of a loan that is like most of `inputs`.

    Each is the most frequent code or the median; None where most loans have no value.
    """
    return tuple(_reference(feature, inputs[feature.name]) for feature in features)


def _reference(feature: Feature, values: pd.Series) -> float | None:
    known = values.dropna().to_numpy(dtype=np.float64)
    if 2 * len(known) <= len(values):
        return None
    if feature.codes:
        return float(np.bincount(known.astype(np.int64)).argmax())
    # A value that occurs: no account has half a client or half a transaction.
    return float(np.quantile(known, 0.5, method="lower"))


def encoded(rows: pd.DataFrame, feature: Feature) -> pd.Series:
    """One feature as the model's numbers, not rounded yet; nulls and unknown codes become NaN.

    Raises:
        UnsuitableLoans: the column is missing, or holds no numbers.
    """
    _require_columns(rows, (feature.name,))
    values = rows[feature.name]
    if feature.codes:
        return values.map({code: feature.encode(code) for code in feature.codes}).astype("float64")
    try:
        return pd.to_numeric(values).astype("float64")
    except (TypeError, ValueError) as error:
        raise UnsuitableLoans(f"feature {feature.name} must hold numbers: {error}") from error


def _require_columns(loans: pd.DataFrame, names: list[str] | tuple[str, ...]) -> None:
    missing = [name for name in names if name not in loans.columns]
    if missing:
        raise UnsuitableLoans(
            f"the table of loans lacks {', '.join(missing)}: materialise loan_features again"
        )
