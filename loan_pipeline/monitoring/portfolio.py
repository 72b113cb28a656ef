"""The portfolio of running loans, scored as of the snapshot with the released bundle.

What is scored is the rest of each loan: the amount still to be paid over the months still to go,
against what the account is like today.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from loan_pipeline.contracts.features import FeatureSet, feature_set
from loan_pipeline.monitoring.errors import MonitoringError
from loan_pipeline.scoring.affordability import combine
from loan_pipeline.scoring.scorer import Prediction, Row, Scorer
from loan_pipeline.training.inputs import encoded

RUNNING = ("C", "D")  # running and in order, running and in debt
REASONS = 4  # as many as a refusal may name
TOTALS = ("region", "duration", "vintage")
_SET: FeatureSet = "behavioural"


def running_loans(loans: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """The loans that are still being paid off, with what is left of them.

    Payments are due monthly from the month after the loan's date on. What a loan in debt owes
    beyond its plan the bank's tables do not say, so `exposure_czk` is the plan's; a loan past its
    plan's end, and still running, is taken to owe its last payment.

    Args:
        loans: one row per loan: `loan_id`, `account_id`, `date`, `amount`, `duration` (months),
            `status`, `region`.
        as_of: the snapshot's as-of date.

    Returns:
        The running loans with `months_left`, `exposure_czk` (monthly payment times months left) and
        `vintage` (the year of the loan's date).
    """
    running = loans[loans["status"].isin(RUNNING)].copy()
    dates = pd.to_datetime(running["date"])
    months = (as_of.year - dates.dt.year) * 12 + as_of.month - dates.dt.month
    paid = (months - (dates.dt.day > as_of.day)).clip(lower=0)
    running["months_left"] = (running["duration"] - paid).clip(lower=1).astype("int64")
    payment = running["amount"] / running["duration"]
    running["exposure_czk"] = payment * running["months_left"]
    running["vintage"] = dates.dt.year
    return running.sort_values("loan_id", ignore_index=True)


def score_portfolio(
    running: pd.DataFrame, accounts: pd.DataFrame, scorer: Scorer, loss_given_default: float
) -> pd.DataFrame:
    """Probability, expected loss and reasons of every running loan.

    Args:
        running: as of `running_loans`.
        accounts: the account features as of the same snapshot, one row per account.
        scorer: the released bundle of the behavioural set.
        loss_given_default: the share of the exposure that is lost when a loan is not paid off.

    Returns:
        `running` with `probability_paid_off`, `prediction`, `expected_loss_czk` and `reasons` (what
        lowers the probability most, strongest first, joined by "; ").

    Raises:
        MonitoringError: a loan's account has no features.
    """
    answers = [scorer.explain(row) for row in _model_rows(running, accounts)]
    probabilities = np.array([one.probability_paid_off for one in answers], dtype=np.float64)
    exposure = running["exposure_czk"].to_numpy(dtype=np.float64)
    return running.assign(
        probability_paid_off=probabilities,
        prediction=[one.prediction for one in answers],
        expected_loss_czk=(1 - probabilities) * exposure * loss_given_default,
        reasons=[_against(one) for one in answers],
    )


def watch_list(scored: pd.DataFrame) -> pd.DataFrame:
    """Loans in debt and loans that the model would refuse today, largest expected loss first."""
    watched = scored[(scored["status"] == "D") | (scored["prediction"] != "paid_off")]
    return watched.sort_values(
        ["expected_loss_czk", "loan_id"], ascending=[False, True], ignore_index=True
    )


def totals(scored: pd.DataFrame, by: str) -> pd.DataFrame:
    """Sums by region, duration or vintage, and at last of all loans.

    Returns:
        `by`, `loans`, `in_debt`, `on_watch_list`, `exposure_czk`, `expected_loss_czk`,
        `expected_loss_share` (of the exposure).
    """
    watched = scored["loan_id"].isin(watch_list(scored)["loan_id"])
    counted = scored.assign(in_debt=scored["status"] == "D", on_watch_list=watched)
    parts = [(str(label), part) for label, part in counted.groupby(by, sort=True)]
    records = [_sums(by, label, part) for label, part in [*parts, ("all", counted)]]
    return pd.DataFrame.from_records(records)


def _sums(by: str, label: str, part: pd.DataFrame) -> dict[str, object]:
    exposure, loss = part["exposure_czk"].sum(), part["expected_loss_czk"].sum()
    return {
        by: label,
        "loans": len(part),
        "in_debt": int(part["in_debt"].sum()),
        "on_watch_list": int(part["on_watch_list"].sum()),
        "exposure_czk": float(exposure),
        "expected_loss_czk": float(loss),
        "expected_loss_share": float(loss / exposure) if exposure else 0.0,
    }


def _model_rows(running: pd.DataFrame, accounts: pd.DataFrame) -> Sequence[Row]:
    known = accounts.set_index("account_id")
    missing = running.loc[~running["account_id"].isin(known.index), "account_id"]
    if len(missing):
        raise MonitoringError(
            f"the accounts of {len(missing)} running loans have no features, account "
            f"{missing.iloc[0]} for instance: materialise account_features of this snapshot"
        )
    rows = known.loc[running["account_id"]].reset_index()
    features = feature_set(_SET)
    values = {
        one.name: encoded(rows, one).to_numpy(dtype=np.float64)
        for one in features
        if one.origin == "account"
    }
    terms = {
        "amount": running["exposure_czk"].to_numpy(dtype=np.float64),
        "duration": running["months_left"].to_numpy(dtype=np.float64),
    }
    values |= combine(values, terms)
    return list(np.column_stack([values[one.name] for one in features]).astype(np.float32))


def _against(answer: Prediction) -> str:
    lowering = [reason for reason in answer.reasons if reason.contribution < 0]
    return "; ".join(reason.text for reason in lowering[:REASONS])
