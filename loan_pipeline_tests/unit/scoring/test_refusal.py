"""Reasons for a refusal: who is named, in which order, and who never is."""

from loan_pipeline.contracts.features import FEATURES, FEATURES_BY_NAME
from loan_pipeline.scoring.bundle import load_bundle
from loan_pipeline.scoring.refusal import principal_reasons
from loan_pipeline.scoring.scorer import Scorer
from loan_pipeline_tests.helpers.bundles import application_fields, write_bundle


def test_the_strongest_four_that_speak_against_the_applicant_are_named() -> None:
    parts = [
        ("payments", 4000.0, -0.1),
        ("duration", 24.0, 0.9),
        ("amount", 96_000.0, -0.3),
        ("gender", "F", -0.8),
        ("age_years", 20.0, -0.7),
        ("card_type", "none", -0.05),
        ("order_amount_mean_czk", None, -0.2),
        ("balance_mean_czk", 10.0, -0.01),
        ("district_salary_mean_czk", 9000.0, 0.0),
    ]
    found = principal_reasons(parts)
    assert [one.code for one in found] == ["L01", "A03", "L03", "A06"]
    assert found[0].text == "The amount asked for: 96,000 CZK"
    assert found[1].value is None
    assert found[1].text.endswith("or that there are none: no permanent order")


def test_no_protected_characteristic_is_named_whatever_it_weighs() -> None:
    for feature in FEATURES:
        named = principal_reasons([(feature.name, None, -0.5)])
        assert bool(named) is not feature.protected, feature.name


def test_a_refusal_names_reasons_that_its_own_contributions_bear(tmp_path) -> None:
    write_bundle(tmp_path, threshold=1.0)
    answer = Scorer(load_bundle(tmp_path)).score_application(application_fields())
    assert answer.prediction == "not_paid_off"
    lowering = {one.feature: one.contribution for one in answer.reasons if one.contribution < 0}
    unprotected = {name for name in lowering if not FEATURES_BY_NAME[name].protected}
    assert answer.principal_reasons
    assert len(answer.principal_reasons) == min(4, len(unprotected))
    sizes = [lowering[one.feature] for one in answer.principal_reasons]
    assert sizes == sorted(sizes)


def test_an_answer_of_paid_off_has_no_reasons_for_a_refusal(tmp_path) -> None:
    write_bundle(tmp_path, threshold=0.0)
    answer = Scorer(load_bundle(tmp_path)).score_application(application_fields())
    assert (answer.prediction, answer.principal_reasons) == ("paid_off", ())
