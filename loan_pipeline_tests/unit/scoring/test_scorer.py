"""Scores by account and by application: values, reasons, refusals, threads."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from loan_pipeline.contracts.features import APPLICATION_FEATURES
from loan_pipeline.scoring.bundle import BundleError, load_bundle
from loan_pipeline.scoring.requests import InputRejected, UnknownAccount, read_application
from loan_pipeline.scoring.scorer import Scorer
from loan_pipeline_tests.helpers.bundles import application_fields, write_bundle


@pytest.fixture
def application(tmp_path):
    write_bundle(tmp_path / "application", "application")
    return Scorer(load_bundle(tmp_path / "application"))


@pytest.fixture
def behavioural(tmp_path):
    write_bundle(tmp_path / "behavioural", "behavioural")
    return Scorer(load_bundle(tmp_path / "behavioural"))


def test_a_logistic_bundle_answers_what_the_formula_says(tmp_path):
    from loan_pipeline_tests.helpers.bundles import logistic_graph

    weights = np.zeros(13)
    weights[1] = -0.05  # duration
    write_bundle(tmp_path, model=logistic_graph(weights, 2.0), threshold=0.7)
    answer = Scorer(load_bundle(tmp_path)).score_application(application_fields(duration=24))
    assert answer.probability_paid_off == pytest.approx(1 / (1 + math.exp(-(2 - 0.05 * 24))))
    assert answer.prediction == "not_paid_off", "0.69 is below the threshold of 0.7"
    (reason,) = answer.reasons
    assert reason.feature == "duration"
    assert reason.text == "duration of the loan: 24 months"
    reference = 1 / (1 + math.exp(-(2 - 0.05 * 36)))
    assert reason.contribution == pytest.approx(answer.probability_paid_off - reference, abs=1e-6)


def test_the_reasons_lead_from_the_reference_loan_to_the_score(application, behavioural):
    for answer in (
        application.score_application(application_fields()),
        behavioural.score_account(1, 96_000, 24),
        behavioural.score_account(2, 96_000, 24),
    ):
        total = sum(reason.contribution for reason in answer.reasons)
        expected = answer.probability_paid_off - answer.baseline_probability_paid_off
        assert total == pytest.approx(expected, abs=1e-3)
        sizes = [abs(reason.contribution) for reason in answer.reasons]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[-1] > 0


def test_a_missing_value_is_named_by_its_meaning(application):
    answer = application.score_application(application_fields(order_amount_mean_czk=None))
    texts = {reason.feature: reason for reason in answer.reasons}
    assert texts["order_amount_mean_czk"].value is None
    assert texts["order_amount_mean_czk"].text == "average permanent order: no permanent order"


def test_a_batch_scores_like_its_rows(behavioural):
    requests = [(1, 96_000, 24), (2, 30_000, 12), (1787, 500_000, 60)]
    batch = behavioural.score_batch([behavioural.account_row(*request) for request in requests])
    for answer, request in zip(batch, requests, strict=True):
        alone = behavioural.score_account(*request)
        assert answer.probability_paid_off == pytest.approx(alone.probability_paid_off, abs=1e-6)
        assert answer.reasons == ()
    assert behavioural.score_batch([]) == []


def test_threads_that_share_a_scorer_get_what_one_gets(behavioural):
    expected = [behavioural.score_account(account, 96_000, 24) for account in (1, 2, 1787)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda n: behavioural.score_account((1, 2, 1787)[n % 3], 96_000, 24), range(300)
            )
        )
    assert all(answer == expected[n % 3] for n, answer in enumerate(answers))


def test_an_unknown_account_is_an_error_and_no_score(behavioural):
    with pytest.raises(UnknownAccount, match="account 99 is not known to model"):
        behavioural.score_account(99, 96_000, 24)


def test_a_bundle_scores_only_what_its_feature_set_can(application, behavioural):
    with pytest.raises(BundleError, match="has no accounts"):
        application.score_account(1, 96_000, 24)
    with pytest.raises(BundleError, match="needs an account's history"):
        behavioural.score_application(application_fields())


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ((1, float("nan"), 24), "amount"),
        ((1, float("inf"), 24), "amount"),
        ((1, 10**400, 24), "amount"),
        ((1, -5, 24), "amount"),
        ((1, "96000", 24), "amount"),
        ((1, True, 24), "amount"),
        ((1, None, 24), "amount"),
        ((1, 96_000, 24.5), "duration"),
        ((1, 96_000, 0), "duration"),
        ((-1, 96_000, 24), "account_id"),
        ((1.5, 96_000, 24), "account_id"),
        ((float("nan"), 96_000, 24), "account_id"),
        ((float("inf"), 96_000, 24), "account_id"),
        ((2**63, 96_000, 24), "account_id"),
        (("1", 96_000, 24), "account_id"),
    ],
)
def test_values_that_no_loan_has_are_refused_by_field(behavioural, values, field):
    with pytest.raises(InputRejected) as refused:
        behavioural.score_account(*values)
    assert [problem.field for problem in refused.value.problems] == [field]


def test_all_problems_of_an_application_are_reported_at_once():
    fields = application_fields(gender="x", amount=0, age_years="41", surprise=1)
    del fields["card_type"]
    with pytest.raises(InputRejected) as refused:
        read_application(fields)
    found = {problem.field: problem.message for problem in refused.value.problems}
    assert found == {
        "surprise": "is not a field of this request",
        "amount": "must be between 1 and 100,000,000",
        "card_type": "is missing",
        "gender": "must be one of M, F",
        "age_years": "must be a number",
    }


def test_payments_follow_from_the_terms_where_they_are_left_out():
    fields = application_fields(amount=90_000, duration=36)
    del fields["payments"]
    assert read_application(fields)["payments"] == 2_500


@pytest.mark.parametrize("value", [[], {}, [1], {"a": 1}])
def test_nested_values_are_refused_in_every_field(value):
    for feature in APPLICATION_FEATURES:
        with pytest.raises(InputRejected) as refused:
            read_application(application_fields(**{feature.name: value}))
        assert [problem.field for problem in refused.value.problems] == [feature.name]


def test_many_rows_shared_out_among_the_cores_answer_in_their_order(behavioural):
    few = np.stack(
        [behavioural.account_row(1, amount, 24) for amount in range(5_000, 400_000, 1_000)]
    )
    many = np.tile(few, (30, 1))
    alone = behavioural.probabilities(few)
    assert len(set(alone.tolist())) > 1
    assert behavioural.probabilities(many).tolist() == np.tile(alone, 30).tolist()
