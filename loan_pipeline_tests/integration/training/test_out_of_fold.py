"""Out-of-fold predictions come from models that did not see the loan, member by member."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from loan_pipeline.training.recipes import recipe
from loan_pipeline.training.train import train_predictor
from loan_pipeline_tests.helpers.loan_tables import loan_table

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["quick", "default"])
def test_outcomes_that_nothing_can_tell_are_not_told_out_of_fold(name: str, tmp_path: Path) -> None:
    """A member that saw the loans it is measured on would tell shuffled outcomes apart."""
    loans = loan_table(500, bad_share=0.15)
    loans["status"] = np.random.default_rng(1).permutation(loans["status"])
    trained = train_predictor(loans, "application", recipe(name), "observed", tmp_path / "model")
    paid_off = np.array(trained.facts.paid_off)
    for model in trained.predictor.model_names():
        scores = trained.predictor.predict_proba_oof(model=model, as_multiclass=False)
        # By chance it is the share of bad loans, 0.15; loans that were seen come first.
        assert average_precision_score(1 - paid_off, -scores) < 0.25, model
