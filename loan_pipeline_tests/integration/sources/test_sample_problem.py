"""The sample bank carries the real problem: hard without history, easy with a leak."""

from datetime import date
from functools import cache

import ibis
import pandas as pd
import pytest

from loan_pipeline.evaluation.backtest import backtest
from loan_pipeline.features import account_features, loan_features
from loan_pipeline.scoring.affordability import combine
from loan_pipeline.training.recipes import recipe
from loan_pipeline_tests.helpers.sample_tables import sample_tables

pytestmark = pytest.mark.slow

TRAIN_UNTIL = date(1996, 12, 31)
AFTER_EVERYTHING = date(1999, 1, 1)
seeds = pytest.mark.parametrize("seed", [1, 2])


@cache
def loans_and_leak(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The loans' features as of their dates, and as of the end of the records: the leak."""
    connection = ibis.duckdb.connect()
    tables = {}
    for name, table in sample_tables(1.0, seed).items():
        connection.con.register(f"raw_{name}", table)
        tables[name] = connection.table(f"raw_{name}")
    loans = loan_features(tables).to_pandas().sort_values("loan_id", ignore_index=True)
    spine = tables["loan"].select("account_id").mutate(as_of_date=ibis.literal(AFTER_EVERYTHING))
    later = account_features(tables, spine).to_pandas()
    leak = loans[["loan_id", "account_id", "date", "status", "amount", "duration"]].merge(later)
    terms = {name: leak[name].astype(float) for name in ("amount", "duration")}
    account = {name: leak[name] for name in later.select_dtypes("number")}
    return loans, leak.assign(**combine(account, terms))


def roc_auc(loans: pd.DataFrame, feature_set: str) -> float:
    result = backtest(loans, TRAIN_UNTIL, feature_set=feature_set, chosen=recipe("quick"))
    return result["roc_auc"]


@seeds
def test_behaviour_tells_most_of_the_later_defaults(seed: int) -> None:
    loans, _ = loans_and_leak(seed)
    assert 0.90 <= roc_auc(loans, "behavioural") <= 0.96


@seeds
def test_the_application_alone_tells_some(seed: int) -> None:
    loans, _ = loans_and_leak(seed)
    assert 0.65 <= roc_auc(loans, "application") <= 0.80


@seeds
def test_what_comes_after_the_loan_tells_all(seed: int) -> None:
    _, leak = loans_and_leak(seed)
    assert roc_auc(leak, "behavioural") > 0.98
