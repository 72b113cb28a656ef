"""The JSON API: answers, problems, keys, limits."""

import json

import jsonschema
import pytest

from loan_pipeline_tests.helpers.bundles import application_fields
from webapp.recording.json_log import JsonFormatter
from webapp.security.api_keys import new_api_key
from webapp.security.rate_limit import LimitError

URL = "/api/v1/predictions"
ACCOUNT = {"account_id": 1, "amount": 96_000, "duration": 24}


def problem_of(response, status):
    """The problem document, after checking that it is one."""
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    assert response.json["status"] == status
    assert response.json["title"]
    assert response.json["request_id"] == response.headers["X-Request-ID"]
    return response.json


@pytest.mark.parametrize(
    ("body", "name"), [(ACCOUNT, "behavioural"), (application_fields(), "application")]
)
def test_both_kinds_of_request_are_answered_as_described(client, body, name):
    answer = client.post(URL, json=body)
    assert answer.status_code == 200
    description = client.get("/api/v1/openapi.json").json
    reference = {"$ref": "#/components/schemas/PredictionAnswer"}
    jsonschema.validate(answer.json, description | reference)
    assert answer.json["feature_set"] == name
    assert answer.json["threshold"] == 0.5
    expected = "paid_off" if answer.json["probability_paid_off"] >= 0.5 else "not_paid_off"
    assert answer.json["prediction"] == expected
    total = sum(reason["contribution"] for reason in answer.json["reasons"])
    difference = answer.json["probability_paid_off"] - answer.json["baseline_probability_paid_off"]
    assert total == pytest.approx(difference, abs=1e-3)


def test_the_expected_loss_is_probability_times_amount_times_loss_given_default(released, make_app):
    body = application_fields()
    for share, settings in ((0.45, {}), (0.6, {"loss_given_default": 0.6})):
        client = make_app(released, **settings).test_client()
        answer = client.post(URL, json=body).json
        expected = (1 - answer["probability_paid_off"]) * body["amount"] * share
        assert answer["expected_loss"] == pytest.approx(expected, abs=0.1)
        page = client.post("/application", data={k: str(v) for k, v in body.items()}).text
        assert f"Expected loss: <strong>{answer['expected_loss']:,.0f} CZK</strong>" in page
        assert f" {100 * share:.0f} % lost where a loan is not paid off" in page


def test_problems_are_listed_by_field(client):
    found = problem_of(client.post(URL, json={"account_id": 1, "amount": -1, "extra": 0}), 422)
    assert {error["field"] for error in found["errors"]} == {"amount", "duration", "extra"}


def test_an_unknown_account_is_not_found(client):
    found = problem_of(client.post(URL, json=ACCOUNT | {"account_id": 99}), 404)
    assert "account 99 is not known" in found["detail"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe{}",
        b'{"account_id": 1, "account_id": 2, "amount": 96000, "duration": 24}',
        b"[" * 100_000,
        b'{"amount": ' + b"9" * 5_000 + b"}",
        json.dumps(ACCOUNT).encode("utf-16"),
    ],
    ids=["empty", "cut", "not utf-8", "a field twice", "nested", "huge number", "utf-16"],
)
def test_what_is_not_plain_json_is_refused(client, text):
    problem_of(client.post(URL, data=text, content_type="application/json"), 400)


@pytest.mark.parametrize("text", ["[]", "null", "5", '"x"', '{"amount": NaN}', "{}"])
def test_json_that_is_no_request_is_refused(client, text):
    problem_of(client.post(URL, data=text, content_type="application/json"), 422)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("get", URL, 405), ("post", "/api/v1/nothing", 404), ("delete", URL, 405)],
)
def test_other_methods_and_paths_are_problems_too(client, method, path, status):
    problem_of(getattr(client, method)(path), status)


def test_a_method_not_allowed_names_those_that_are(client):
    assert client.get(URL).headers["Allow"] == "OPTIONS, POST"


@pytest.mark.parametrize("mimetype", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_other_media_types_are_refused(client, mimetype):
    problem_of(client.post(URL, data=json.dumps(ACCOUNT), content_type=mimetype), 415)


def test_a_body_of_ten_megabytes_is_refused(client):
    problem_of(client.post(URL, data=b" " * 10_000_000, content_type="application/json"), 413)


def test_a_request_id_is_taken_over_where_it_is_a_plain_one(client):
    sent = client.post(URL, json=ACCOUNT, headers={"X-Request-ID": "trace-0123456789"})
    assert sent.headers["X-Request-ID"] == "trace-0123456789"
    forged = client.post(URL, json=ACCOUNT, headers={"X-Request-ID": 'a" onload="x'})
    assert forged.headers["X-Request-ID"] != 'a" onload="x'


def test_with_keys_configured_only_their_holders_are_answered(released, make_app):
    (first, entry_1), (second, entry_2) = new_api_key("one"), new_api_key("two")
    client = make_app(released, web_api_keys=(entry_1, entry_2)).test_client()
    refused = client.post(URL, json=ACCOUNT)
    problem_of(refused, 401)
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    wrong = {"Authorization": "Bearer nöthing".encode().decode("latin-1")}
    problem_of(client.post(URL, json=ACCOUNT, headers=wrong), 401)
    for headers in ({"Authorization": f"Bearer {second}"}, {"X-API-Key": first}):
        assert client.post(URL, json=ACCOUNT, headers=headers).status_code == 200
    batch = client.post(f"{URL}/batch", data="x", content_type="text/csv")
    problem_of(batch, 401)
    description = client.get("/api/v1/openapi.json").json
    assert description["security"] == [{"key": []}]


def test_without_a_limit_set_none_is_held(client):
    assert {client.post(URL, json=ACCOUNT).status_code for _ in range(50)} == {200}


def test_a_client_beyond_the_limit_has_to_wait(released, make_app):
    client = make_app(released, web_rate_limit="3/minute").test_client()
    answers = [client.post(URL, json=ACCOUNT).status_code for _ in range(4)]
    assert answers == [200, 200, 200, 429]
    refused = client.post(URL, json=ACCOUNT)
    assert "3 per 1 minute" in problem_of(refused, 429)["detail"]
    assert refused.headers["Retry-After"]
    assert client.get("/").status_code == 429, "pages and API share the limit"
    assert client.get("/healthz").status_code == 200
    assert client.get("/static/app.css").status_code == 200


def test_behind_a_proxy_each_client_has_its_own_limit(released, make_app):
    options = {"web_proxies": 1, "web_open_accounts": True}
    client = make_app(released, web_rate_limit="1/minute", **options).test_client()
    for address in ("203.0.113.1", "203.0.113.2"):
        headers = {"X-Forwarded-For": address}
        assert client.post(URL, json=ACCOUNT, headers=headers).status_code == 200
        assert client.post(URL, json=ACCOUNT, headers=headers).status_code == 429


def test_without_a_proxy_forwarded_addresses_are_not_believed(released, make_app):
    client = make_app(released, web_rate_limit="1/minute").test_client()
    client.post(URL, json=ACCOUNT, headers={"X-Forwarded-For": "203.0.113.1"})
    forged = client.post(URL, json=ACCOUNT, headers={"X-Forwarded-For": "203.0.113.2"})
    assert forged.status_code == 429


def test_an_unexpected_error_is_a_problem_without_its_details(app, client, monkeypatch):
    def fail(*_args):
        raise ZeroDivisionError("secret detail")

    scorer = app.extensions["loan_pipeline"].models.scorer("behavioural")
    monkeypatch.setattr(scorer, "explain", fail)
    found = problem_of(client.post(URL, json=ACCOUNT), 500)
    assert "secret detail" not in json.dumps(found)


def test_metrics_count_latency_scores_errors_and_model_version(client):
    client.post(URL, json=ACCOUNT)
    client.post(URL, json={})
    text = client.get("/metrics").text
    assert 'loan_requests_total{endpoint="api.predict",status="200"} 1.0' in text
    assert 'loan_requests_total{endpoint="api.predict",status="422"} 1.0' in text
    assert 'loan_request_seconds_count{endpoint="api.predict"} 2.0' in text
    assert 'loan_probability_paid_off_count{feature_set="behavioural"} 1.0' in text
    assert 'version="20261122T120000Z-00000001"} 1.0' in text
    assert 'loan_release_refused{feature_set="application"} 0.0' in text


def test_each_request_leaves_one_line_of_structured_log(client, caplog):
    with caplog.at_level("INFO", logger="webapp.access"):
        client.post(URL, json=ACCOUNT, headers={"X-Request-ID": "trace-0123456789"})
        client.get("/healthz")
    (record,) = [record for record in caplog.records if record.name == "webapp.access"]
    line = json.loads(JsonFormatter().format(record))
    assert line["request_id"] == "trace-0123456789"
    assert line["level"] == "info"
    assert line["path"] == URL
    assert line["status"] == 200
    assert line["milliseconds"] > 0


@pytest.mark.parametrize("text", ["600", "600/fortnight", "many/minute", "-1/minute"])
def test_a_limit_that_cannot_be_read_is_refused_at_the_start(released, make_app, text):
    with pytest.raises(LimitError, match="write it like 600/minute"):
        make_app(released, web_rate_limit=text)


def test_the_description_comes_from_the_contract(client):
    schemas = client.get("/api/v1/openapi.json").json["components"]["schemas"]
    account, application = schemas["AccountRequest"], schemas["ApplicationRequest"]
    assert account["required"] == ["account_id", "amount", "duration"]
    assert account["properties"]["amount"]["maximum"] == 100_000_000
    assert account["properties"]["duration"]["type"] == "integer"
    assert not account["additionalProperties"]
    assert set(application["properties"]) == set(application_fields())
    assert {"payments", "order_amount_mean_czk"}.isdisjoint(application["required"])
    assert application["properties"]["gender"]["enum"] == ["M", "F"]
    jsonschema.validate(application_fields(), application)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(application_fields(amount=0), application)
