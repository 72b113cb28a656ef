"""Which features no loan need have: those of tables that a bank may do without."""

import numpy as np
import pandas as pd
import pytest

from loan_pipeline.contracts.features import feature_set
from loan_pipeline.training.errors import UnsuitableLoans
from loan_pipeline.training.train import _require_values


@pytest.fixture
def inputs() -> pd.DataFrame:
    names = [feature.name for feature in feature_set("application")]
    return pd.DataFrame(np.arange(2.0 * len(names)).reshape(2, -1), columns=names)


def test_a_bank_may_have_no_permanent_order(inputs: pd.DataFrame) -> None:
    _require_values(inputs.assign(order_amount_mean_czk=np.nan), "application")


def test_a_bank_without_any_balance_is_damaged(inputs: pd.DataFrame) -> None:
    with pytest.raises(UnsuitableLoans, match="no loan has a value of balance_mean_czk"):
        _require_values(inputs.assign(balance_mean_czk=np.nan), "application")
