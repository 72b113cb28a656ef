"""An account's features are the same whether a loan is trained on or an applicant is scored."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from ibis import _

from loan_pipeline.contracts.features import FEATURES
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.features import account_features, loan_features, serving_features
from loan_pipeline.features.builder import ACCOUNT_FEATURES
from loan_pipeline.features.history import hellers, last_year
from loan_pipeline.scoring.affordability import combine
from loan_pipeline.sources.open import open_source
from loan_pipeline_tests.helpers.later_rows import open_tables
from loan_pipeline_tests.helpers.sample_tables import sample_tables

BERKA = Path(
    os.environ.get("LOAN_TEST_BERKA", Path(__file__).resolve().parents[4] / "shared" / "berka")
)
NUMBERS = [feature.name for feature in FEATURES if not feature.codes]
COMBINED = [feature.name for feature in FEATURES if feature.origin != "account"]
SCALE, SEED = 0.04, 5


@pytest.fixture(scope="module")
def trained() -> pd.DataFrame:
    """The loans as a model is trained on them."""
    return loan_features(open_tables(sample_tables(SCALE, SEED))).to_pandas()


@pytest.fixture(scope="module")
def looked_up(trained: pd.DataFrame) -> pd.DataFrame:
    """The loans' accounts, each as of its loan's date, in the loans' order."""
    tables = open_tables(sample_tables(SCALE, SEED))
    spine = tables["loan"].select("account_id", as_of_date=_.date)
    accounts = account_features(tables, spine).to_pandas().set_index("account_id")
    return accounts.loc[trained["account_id"]].reset_index()


def test_one_applicant_scored_has_the_values_that_the_loan_was_trained_on(
    trained: pd.DataFrame, looked_up: pd.DataFrame
) -> None:
    assert len(trained) >= 20
    for (_row, loan), (_row, account) in zip(trained.iterrows(), looked_up.iterrows(), strict=True):
        known = {f.name: float(account[f.name]) for f in ACCOUNT_FEATURES if not f.codes}
        terms = {"amount": float(loan["amount"]), "duration": float(loan["duration"])}
        scored = known | combine(known, terms)
        for name in NUMBERS:
            assert scored[name] == loan[name] or np.isnan([scored[name], loan[name]]).all(), name


def test_a_batch_scored_has_the_values_that_the_loans_were_trained_on(
    trained: pd.DataFrame, looked_up: pd.DataFrame
) -> None:
    known = {f.name: looked_up[f.name].to_numpy(float) for f in ACCOUNT_FEATURES if not f.codes}
    terms = {name: trained[name].to_numpy(float) for name in ("amount", "duration")}
    scored = combine(known, terms)
    assert list(scored) == COMBINED
    for name, values in scored.items():
        np.testing.assert_array_equal(values, trained[name].to_numpy(float), err_msg=name)


def test_what_is_served_on_a_date_is_what_a_loan_of_that_date_was_trained_on(
    trained: pd.DataFrame,
) -> None:
    tables = open_tables(sample_tables(SCALE, SEED))
    names = [feature.name for feature in ACCOUNT_FEATURES]
    for index in (0, len(trained) // 2):
        loan = trained.iloc[[index]].reset_index(drop=True)
        served = serving_features(tables, loan["date"][0].date()).to_pandas()
        mine = served[served["account_id"] == loan["account_id"][0]].reset_index(drop=True)
        pd.testing.assert_frame_equal(mine[names], loan[names], check_dtype=False)


@pytest.mark.skipif(
    not BERKA.is_dir(), reason=f"the real bank is not at {BERKA}; LOAN_TEST_BERKA names its folder"
)
def test_the_real_banks_balances_follow_from_one_another_in_our_order_of_the_day() -> None:
    source = open_source(str(BERKA))
    tables = open_tables(
        {table.name: pa.Table.from_batches(source.batches(table)) for table in TABLES}
    )
    spine = tables["loan"].select("account_id", as_of_date=_.date)
    recent = last_year(tables["trans"], spine)
    rows = recent.mutate(amount=hellers(_.amount), balance=hellers(_.balance)).to_pandas()
    rows["flow"] = rows["amount"].where(rows["credit"], -rows["amount"])
    flow = rows.groupby(["account_id", "days_before"])["flow"].sum()
    closing = rows[rows["until_day"] < rows["days_before"]]
    closing = closing.set_index(["account_id", "days_before"])["balance"]
    assert closing.index.is_unique
    assert len(closing) == len(flow)
    days = pd.DataFrame({"closing": closing, "flow": flow}).sort_index(ascending=[True, False])
    gap = days["closing"] - days.groupby("account_id")["closing"].shift() - days["flow"]
    assert gap.abs().max() <= 10 * 4  # the source rounds each booking by up to 0.1 CZK
