from datetime import date

import numpy as np
import pandas as pd
import pytest

from loan_pipeline.contracts.bundle import (
    BundleFeature,
    BundleManifest,
    Metric,
    Training,
)
from loan_pipeline.contracts.features import contract_version, feature_set
from loan_pipeline.evaluation.metrics import ScoredLoans, measure_with_intervals
from loan_pipeline.evaluation.validation import Validation
from loan_pipeline.release.gate import (
    Champion,
    check_calibration,
    check_not_worse,
    check_roc_auc,
    roc_auc_difference,
)
from loan_pipeline.scoring.model import OnnxModel
from loan_pipeline.training.inputs import with_outcome
from loan_pipeline_tests.helpers.bundles import logistic_graph
from loan_pipeline_tests.helpers.loan_tables import loan_table

LOANS = with_outcome(loan_table(300), "observed")
TEST = LOANS["date"] > LOANS["date"].quantile(0.6)


def predictions(noise: float, *, shift: float = 0.0, seed: int = 0) -> ScoredLoans:
    """Out-of-time predictions for the newer loans; the more noise, the worse the ranking."""
    newer = LOANS[TEST]
    generator = np.random.default_rng(seed)
    paid_off = newer["paid_off"].to_numpy()
    signal = 0.8 + 0.15 * (paid_off - paid_off.mean()) + generator.normal(0, noise, len(newer))
    probabilities = np.clip(signal + shift + paid_off.mean() - signal.mean(), 0.001, 0.999)
    decisions = (probabilities > 0.7).astype(np.int64)
    return ScoredLoans(newer["loan_id"].to_numpy(), paid_off, probabilities, decisions)


def validation(scored: ScoredLoans) -> Validation:
    metrics = {"out_of_time": measure_with_intervals(scored, draws=200)}
    return Validation(metrics, {}, {}, scored)


def champion(scored: ScoredLoans | None, *, last: date = date(1999, 1, 1)) -> Champion:
    """A released model that answers one half; its holdout predictor predicted `scored`."""
    features = len(feature_set("application"))
    model = OnnxModel(logistic_graph(np.zeros(features), bias=0.0), features, "champion")
    manifest = BundleManifest.model_construct(
        feature_set="application",
        version="champion",
        contract_version=contract_version("application"),
        features=tuple(
            BundleFeature.model_construct(name=one.name) for one in feature_set("application")
        ),
        training=Training.model_construct(last_loan_date=last),
    )
    known = {} if scored is None else dict(zip(scored.loan_ids, scored.probabilities, strict=True))
    return Champion("champion", manifest, model, known)


def test_the_first_release_has_nothing_to_compare_with():
    assert check_not_worse(validation(predictions(0.1)), None, LOANS).passed


def test_a_candidate_that_ranks_the_same_loans_much_worse_is_refused():
    check = check_not_worse(validation(predictions(0.5)), champion(predictions(0.05)), LOANS)
    assert not check.passed
    assert check.figures["high"] < 0
    assert "release champion" in check.says


@pytest.mark.parametrize("noise", [0.05, 0.1, 0.105])
def test_a_candidate_that_is_better_or_as_good_within_chance_passes(noise: float):
    check = check_not_worse(
        validation(predictions(noise)), champion(predictions(0.1, seed=1)), LOANS
    )
    assert check.passed


def test_loans_after_the_champions_training_are_scored_by_the_champion_itself():
    cut = LOANS.loc[TEST, "date"].min().date()
    check = check_not_worse(validation(predictions(0.05)), champion(None, last=cut), LOANS)
    assert check.passed
    assert check.figures["n"] == (LOANS["date"] > pd.Timestamp(cut)).sum()
    # One answer for everybody has a ROC AUC of one half.
    own = measure_with_intervals(predictions(0.05), draws=2)["roc_auc"].value
    assert check.figures["difference"] == pytest.approx(own - 0.5, abs=0.02)


def test_too_few_loans_in_common_pass_and_say_so():
    check = check_not_worse(validation(predictions(0.5)), champion(None), LOANS)
    assert check.passed
    assert "too few to compare" in check.says


def test_the_difference_of_a_model_from_itself_is_exactly_zero():
    scored = predictions(0.2)
    assert roc_auc_difference(scored, scored.probabilities) == (0, 0, 0)


def test_a_roc_auc_below_the_minimum_is_refused():
    one = validation(predictions(0.3))
    value = one.metrics["out_of_time"]["roc_auc"].value
    assert check_roc_auc(one, value).passed
    assert not check_roc_auc(one, value + 0.001).passed


@pytest.mark.parametrize(("shift", "passed"), [(0.0, True), (0.05, True), (-0.3, False)])
def test_probabilities_far_off_on_average_are_refused(shift: float, passed: bool):
    assert check_calibration(validation(predictions(0.05, shift=shift))).passed is passed


def test_a_bias_that_chance_explains_is_not_held_against_a_candidate():
    wide = {"calibration_bias": Metric(value=0.15, low=0.02, high=0.28)}
    assert check_calibration(Validation({"out_of_time": wide}, {}, {}, predictions(0.1))).passed
