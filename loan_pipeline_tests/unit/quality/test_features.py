"""Checks of feature tables find each thing that may be wrong, and say where."""

import numpy as np
import pandas as pd

from loan_pipeline.contracts.features import FEATURES, FEATURES_BY_NAME, feature_set
from loan_pipeline.quality.features import DRIFT_WARNING, drift, key_problems, value_problems

APPLICATION = feature_set("application")


def table(rows: int = 200, seed: int = 1) -> pd.DataFrame:
    """Rows as the contract wants them."""
    random = np.random.default_rng(seed)
    columns: dict[str, object] = {"loan_id": np.arange(rows)}
    for feature in FEATURES:
        if feature.codes:
            columns[feature.name] = random.choice(feature.codes, rows)
        else:
            columns[feature.name] = random.uniform(feature.minimum, feature.maximum, rows)
    return pd.DataFrame(columns)


def test_a_table_by_the_contract_has_no_problem() -> None:
    frame = table()
    assert value_problems(frame, "loan_id", FEATURES) == []
    assert key_problems(frame, "loan_id", 200) == []


def test_a_repeated_loan_is_named() -> None:
    frame = pd.concat([table(3), table(3).iloc[[1]]])
    repeated, count = key_problems(frame, "loan_id", 3)
    assert repeated.rows == 2
    assert repeated.text == "is repeated in 2 of 4 rows (loan_id 1)"
    assert count.text == "has 4 rows, but the snapshot knows 3"


def test_nulls_codes_and_ranges_are_checked_and_the_first_rows_named() -> None:
    frame = table()
    frame.loc[3, "gender"] = "X"
    frame.loc[[4, 5], "age_years"] = [130.5, -1]
    frame.loc[6, "transaction_count"] = None
    frame.loc[7, "order_amount_mean_czk"] = None  # may be missing
    found = {p.place: p for p in value_problems(frame, "loan_id", APPLICATION)}
    assert set(found) == {"gender", "age_years", "transaction_count"}
    assert found["gender"].text == "is none of M, F in 1 of 200 rows (loan_id 3: X)"
    assert found["age_years"].rows == 2
    assert "loan_id 4: 130.5, loan_id 5: -1.0" in found["age_years"].text
    assert found["transaction_count"].text.startswith("is null in 1 of 200 rows (loan_id 6")


def test_a_missing_column_is_a_problem() -> None:
    (problem,) = value_problems(table().drop(columns="amount"), "loan_id", APPLICATION)
    assert problem.place == "amount"
    assert problem.rows == 200


def test_a_shifted_feature_drifts_and_the_others_do_not() -> None:
    previous, current = table(5000, seed=1), table(5000, seed=2)
    shifted = FEATURES_BY_NAME["balance_last_czk"]
    current["balance_last_czk"] += 0.5 * (shifted.maximum - shifted.minimum)
    current["gender"] = "F"
    current.loc[:2500, "age_years"] = None
    indices = drift(previous, current, FEATURES)
    drifted = {name for name, index in indices.items() if index > DRIFT_WARNING}
    assert drifted == {"balance_last_czk", "gender", "age_years"}
    assert max(indices[n] for n in indices if n not in drifted) < 0.05


def test_a_feature_that_never_has_a_value_does_not_drift() -> None:
    empty = table().assign(balance_last_czk=np.nan)
    assert drift(empty, empty, [FEATURES_BY_NAME["balance_last_czk"]])["balance_last_czk"] == 0
