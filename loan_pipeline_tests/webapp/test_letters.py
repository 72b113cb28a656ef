"""Refusals: their principal reasons in the API, on the page, in the letter and in the log."""

import re

import pytest
from markupsafe import escape

from loan_pipeline.contracts.features import FEATURES_BY_NAME, REFUSAL_REASONS
from loan_pipeline.contracts.known_ground import KnownRange
from loan_pipeline_tests.helpers.bundles import application_fields, release_bundle
from loan_pipeline_tests.helpers.prediction_rows import break_log

URL = "/api/v1/predictions"
ACCOUNT = {"account_id": "1", "amount": "96000", "duration": "24"}
PAYMENTS = KnownRange(feature="payments", minimum=304, maximum=9910, missing=False)


@pytest.fixture
def app(home, make_app):
    """An app that refuses everything, and refers payments beyond 9,910."""
    options = {"threshold": 1.0, "known_ranges": [PAYMENTS]}
    release_bundle(home / "lake", "application", **options)
    release_bundle(home / "lake", "behavioural", **options)
    return make_app(home)


@pytest.fixture
def client(app):
    return app.test_client()


def letter_to(client, **fields):
    """The address of the letter that the answer's page links to; None where it links to none."""
    page = client.post("/", data=ACCOUNT | fields).text
    found = re.search(r'href="(/letter/[0-9a-f]{32})"', page)
    return found and found[1]


def test_a_refusal_carries_at_most_four_reasons_with_the_contracts_codes(client):
    for body in ({"account_id": 1, "amount": 96_000, "duration": 24}, application_fields()):
        answer = client.post(URL, json=body).json
        assert answer["prediction"] == "not_paid_off"
        against = {r["feature"]: r["value"] for r in answer["reasons"] if r["contribution"] < 0}
        assert 1 <= len(answer["principal_reasons"]) <= 4
        for reason in answer["principal_reasons"]:
            assert reason["code"] == REFUSAL_REASONS[reason["feature"]].code
            assert reason["value"] == against[reason["feature"]]
            assert not FEATURES_BY_NAME[reason["feature"]].protected
            assert reason["text"].startswith(REFUSAL_REASONS[reason["feature"]].text)


def test_the_letter_names_date_model_reasons_and_the_right_to_a_review(client):
    answer = client.post(URL, json={"account_id": 1, "amount": 96_000, "duration": 24}).json
    page = client.get(letter_to(client))
    assert page.status_code == 200
    for reason in answer["principal_reasons"]:
        assert f'<span class="code">{reason["code"]}</span> {escape(reason["text"])}' in page.text
    assert answer["model_version"] in page.text
    assert re.search(r"<dt>Decided</dt><dd>\d{4}-\d\d-\d\d \d\d:\d\d UTC", page.text)
    assert "Your right to a human review" in page.text
    assert "96,000 CZK over 24 months" in page.text


def test_the_letter_stays_as_it_was_when_another_model_takes_over(app, client, home):
    address = letter_to(client)
    before = client.get(address).text
    version = "20270101T120000Z-00000002"
    release_bundle(home / "lake", "behavioural", threshold=1.0, seed=5, version=version)
    app.extensions["loan_pipeline"].models.refresh()
    assert version in client.get("/model").text
    assert client.get(address).text == before


def test_only_the_visitor_who_asked_gets_the_letter(app, client):
    address = letter_to(client)
    stranger = app.test_client()
    assert stranger.get(address).status_code == 404
    letter_to(stranger)  # with a session of their own
    assert stranger.get(address).status_code == 404
    assert client.get("/letter/" + "0" * 32).status_code == 404


def test_a_referred_request_has_no_letter(client):
    assert letter_to(client, amount="1000000") is None
    assert "/letter/" not in client.get("/history").text


def test_an_accepted_loan_has_no_letter(home, make_app):
    release_bundle(home / "lake", "behavioural", threshold=0.0)
    client = make_app(home).test_client()
    assert letter_to(client) is None


def test_the_history_links_to_the_letters_of_refusals(client):
    address = letter_to(client)
    assert address in client.get("/history").text


def test_who_sends_a_letter_is_warned_of_protected_inputs(client):
    assert "Before you send it" not in client.get(letter_to(client)).text
    form = {name: str(value) for name, value in application_fields().items()}
    page = client.post("/application", data=form).text
    address = re.search(r'href="(/letter/[0-9a-f]{32})"', page)[1]
    assert "gender and age are among the inputs" in client.get(address).text


def test_a_letter_that_cannot_be_read_now_is_said_to_be_so(app, client, home):
    address = letter_to(client)
    app.extensions["loan_pipeline"].shipper.stop()
    app.extensions["loan_pipeline"].predictions.close()
    break_log(home)
    page = client.get(address)
    assert page.status_code == 503
    assert "cannot be read now" in page.text
