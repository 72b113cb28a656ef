"""A release made without features: nobody is asked for them, and whoever sends them is told."""

import csv
import io

import jsonschema
import pytest

from loan_pipeline_tests.helpers.bundles import application_fields, release_bundle

URL = "/api/v1/predictions"
LEFT_OUT = ("gender", "age_years")


@pytest.fixture
def client(home, make_app):
    release_bundle(home / "lake", "application", excluded=LEFT_OUT)
    release_bundle(home / "lake", "behavioural", excluded=LEFT_OUT)
    return make_app(home).test_client()


@pytest.fixture
def fields():
    """An application without what was left out."""
    return {name: value for name, value in application_fields().items() if name not in LEFT_OUT}


def test_the_form_asks_for_nothing_that_was_left_out(client, fields):
    page = client.get("/application?example=1").text
    assert [name for name in application_fields() if f'name="{name}"' in page] == list(fields)
    assert "11 figures" in page
    answer = client.post("/application", data={name: str(v) for name, v in fields.items()})
    assert answer.status_code == 200
    assert "probability of being paid off" in answer.text


def test_the_api_asks_for_the_rest_and_names_what_it_does_not_use(client, fields):
    assert client.post(URL, json=fields).status_code == 200
    refused = client.post(URL, json=application_fields())
    assert refused.status_code == 422
    told = {error["field"]: error["message"] for error in refused.json["errors"]}
    message = "is not used: the model was made without it, leave it out"
    assert told == dict.fromkeys(LEFT_OUT, message)


def test_the_description_says_what_is_asked_for(client, fields):
    described = client.get("/api/v1/openapi.json").json
    schema = described["components"]["schemas"]["ApplicationRequest"]
    assert set(schema["properties"]) == set(fields)
    content = described["paths"]["/api/v1/predictions"]["post"]["requestBody"]["content"]
    example = content["application/json"]["examples"]["application"]["value"]
    jsonschema.validate(example, schema)
    assert client.post(URL, json=example).status_code == 200


def test_batches_and_their_template_do_without(client, fields):
    template = client.get("/batch/template/application.csv").text
    assert template.splitlines()[0].split(",") == list(fields)
    answer = client.post(f"{URL}/batch", data=template, content_type="text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert row["problem"] == ""
    header = ",".join(application_fields())
    line = ",".join(str(value) for value in application_fields().values())
    refused = client.post(f"{URL}/batch", data=f"{header}\n{line}\n", content_type="text/csv")
    assert refused.status_code == 422
    made_without = "columns that the model was made without: 'age_years', 'gender'"
    assert made_without in refused.json["detail"]


def test_accounts_are_answered_as_ever(client):
    body = {"account_id": 1, "amount": 96_000, "duration": 24}
    assert client.post(URL, json=body).status_code == 200
