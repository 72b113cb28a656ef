"""Plain predictions are answered before they come to Flask, and exactly as there."""

import json

import pytest

from loan_pipeline_tests.helpers.bundles import application_fields

pytestmark = pytest.mark.fast

URL = "/api/v1/predictions"
ACCOUNT = {"account_id": 1, "amount": 96_000, "duration": 24}
TO_FLASK = "application/json; charset=utf-8"


@pytest.fixture
def without_view(app, monkeypatch):
    """The app, whose view of predictions answers nothing any more."""

    def refuse():
        raise AssertionError("the request came to Flask")

    monkeypatch.setitem(app.view_functions, "api.predict", refuse)
    return app.test_client()


@pytest.mark.parametrize("fields", [ACCOUNT, application_fields()], ids=["account", "application"])
def test_both_ways_give_the_same_answer(client, fields):
    express = client.post(URL, json=fields)
    flask = client.post(URL, data=json.dumps(fields), content_type=TO_FLASK)
    assert (
        (express.status_code, express.json) == (flask.status_code, flask.json) == (200, flask.json)
    )
    own = {"X-Request-ID"}
    assert {k: v for k, v in express.headers if k not in own} == {
        k: v for k, v in flask.headers if k not in own
    }


def test_plain_predictions_do_not_come_to_flask(without_view):
    assert without_view.post(URL, json=ACCOUNT).status_code == 200
    assert without_view.post(URL, json=ACCOUNT, query_string={"a": 1}).status_code == 200


@pytest.mark.parametrize(
    "request_",
    [
        {"data": json.dumps(ACCOUNT), "content_type": TO_FLASK},
        {"data": "{", "content_type": "application/json"},
        {"data": json.dumps(ACCOUNT) + " " * 100_000, "content_type": "application/json"},
        {"json": ACCOUNT | {"amount": -1}},
        {"json": ACCOUNT | {"account_id": 99}},
        {"json": [ACCOUNT]},
    ],
    ids=["charset", "not json", "large", "out of bounds", "unknown account", "a list"],
)
def test_whatever_is_not_plain_or_wrong_comes_to_flask(without_view, request_):
    assert without_view.post(URL, **request_).status_code == 500


def test_a_request_that_is_handed_on_is_counted_once(released, make_app):
    client = make_app(released, web_api_rate_limit="3/minute").test_client()
    wrong = ACCOUNT | {"amount": -1}
    statuses = [client.post(URL, json=fields).status_code for fields in (wrong, wrong, ACCOUNT)]
    assert statuses == [422, 422, 200]
    assert client.post(URL, json=ACCOUNT).status_code == 429
    text = client.get("/metrics").text
    assert 'loan_requests_total{endpoint="api.predict",status="422"} 2.0' in text
    assert 'loan_predictions_total{feature_set="behavioural",prediction="' in text


def test_without_a_key_the_lane_is_closed(released, make_app):
    client = make_app(released, web_api_keys=("first-key",)).test_client()
    assert client.post(URL, json=ACCOUNT).status_code == 401
    assert client.post(URL, json=ACCOUNT, headers={"X-API-Key": "first-key"}).status_code == 200


def test_an_error_in_the_lane_is_told_by_flask(app, monkeypatch, caplog):
    def fail(*_args):
        raise ZeroDivisionError("nobody foresaw it")

    scorer = app.extensions["loan_pipeline"].models.scorer("behavioural")
    monkeypatch.setattr(scorer, "explain", fail)
    answer = app.test_client().post(URL, json=ACCOUNT)
    assert answer.status_code == 500
    assert answer.mimetype == "application/problem+json"
    assert "the express lane failed" in caplog.text
