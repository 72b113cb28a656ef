"""Requests beyond what the model learned from: pages, API, batches, metrics and log say so."""

import csv
import io
import json
import re
import sqlite3

import pytest

from loan_pipeline.contracts.known_ground import KnownRange
from loan_pipeline.contracts.prediction_log import PREDICTION_LOG_FILE
from loan_pipeline_tests.helpers.bundles import release_bundle

URL = "/api/v1/predictions"
KNOWN = {"account_id": 1, "amount": 96_000, "duration": 24}
BEYOND = {"account_id": 1, "amount": 1_000_000, "duration": 24}
PAYMENTS = KnownRange(feature="payments", minimum=304, maximum=9910, missing=False)
WORDS = (
    "onthly payment: 41,667 CZK; the largest among the loans that the model learned from is "
    "9,910 CZK"
)


@pytest.fixture
def client(home, make_app):
    release_bundle(home / "lake", "behavioural", known_ranges=[PAYMENTS])
    return make_app(home).test_client()


def test_the_api_names_what_is_beyond_the_known_loans_and_the_range(client):
    assert client.post(URL, json=KNOWN).json["referral"] == []
    (found,) = client.post(URL, json=BEYOND).json["referral"]
    assert found["value"] == pytest.approx(1_000_000 / 24, abs=0.01)
    assert found | {"value": None} == {
        "feature": "payments",
        "value": None,
        "known_minimum": 304,
        "known_maximum": 9910,
        "text": f"m{WORDS}",
    }


def test_the_page_leads_with_the_referral_and_gives_no_verdict(client):
    page = client.post("/", data=BEYOND).text
    heading = re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)[1]
    assert "A person must decide" in heading
    assert f"M{WORDS}." in page
    assert page.index(f"M{WORDS}") < page.index("probability of being paid off")
    assert 'class="verdict refer"' in page
    for verdict in ("Likely to be paid off", "Not likely enough", "Letter to the applicant"):
        assert verdict not in page


def test_other_terms_beyond_the_known_loans_are_no_ticks(client):
    page = client.post("/", data=KNOWN | {"amount": 200_000}).text
    table = page[page.index('class="scenarios"') :]
    rows = dict(re.findall(r'<th scope="row">([\d,]+)</th>(.*?)</tr>', table, re.DOTALL))
    cells = re.findall(r"<td.*?</td>", rows["300,000"], re.DOTALL)
    # 25,000 a month over 12 months, 5,000 over 60.
    assert "a person" in cells[0]
    assert "%" not in cells[0].partition(">")[2]
    assert "%" in cells[-1]


def test_batches_have_a_column_for_it(client):
    text = "account_id,amount,duration\n1,96000,24\n1,1000000,24\n"
    answer = client.post(f"{URL}/batch", data=text, content_type="text/csv").text
    known, beyond = csv.DictReader(io.StringIO(answer, newline=""))
    assert (known["referral"], beyond["referral"]) == ("", f"M{WORDS}.")
    lines = "\n".join(json.dumps(one) for one in (KNOWN, BEYOND))
    answer = client.post(f"{URL}/batch", data=lines, content_type="application/x-ndjson").text
    assert [len(json.loads(line)["referral"]) for line in answer.splitlines()] == [0, 1]
    page = client.post("/batch", data={"file": (io.BytesIO(text.encode()), "loans.csv")}).text
    assert "a person decides: monthly payment: 41,667 CZK" in page


def test_metrics_count_it_and_the_log_keeps_it(client, home):
    for fields in (KNOWN, BEYOND, BEYOND):
        client.post(URL, json=fields)
    counted = 'loan_predictions_referred_total{feature_set="behavioural"} 2.0'
    assert counted in client.get("/metrics").text
    with sqlite3.connect(home / PREDICTION_LOG_FILE) as connection:
        rows = connection.execute("SELECT referred FROM predictions ORDER BY id").fetchall()
    connection.close()
    assert rows == [(0,), (1,), (1,)]


def test_amounts_in_its_words_are_in_the_banks_currency(home, make_app):
    release_bundle(home / "lake", "behavioural", known_ranges=[PAYMENTS])
    client = make_app(home, currency="EUR").test_client()
    (found,) = client.post(URL, json=BEYOND).json["referral"]
    assert found["text"].endswith("is 9,910 EUR")
    assert "CZK" not in client.post("/", data=BEYOND).text
