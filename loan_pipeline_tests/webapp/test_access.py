"""Who is answered what: public addresses, users that a proxy names, API clients; no browser."""

import logging
import re
import sqlite3
from contextlib import closing

import pytest

from loan_pipeline.contracts.prediction_log import PREDICTION_LOG_FILE
from loan_pipeline_tests.helpers.bundles import application_fields
from webapp.security.api_keys import new_api_key

EVERY = "0.0.0.0"  # noqa: S104 - what a public server listens on
URL = "/api/v1/predictions"
ACCOUNT = {"account_id": 1, "amount": 96_000, "duration": 24}
LINES = "account_id,amount,duration\n1,96000,24\n"
BY_HEADER = {
    "web_user_header": "X-User",
    "web_groups_header": "X-Groups",
    "web_proxies": 1,
    "web_officer_groups": ("officers",),
    "web_viewer_groups": ("viewers",),
}
ANN = {"X-User": "ann", "X-Groups": "staff, officers"}
VERA = {"X-User": "vera", "X-Groups": "viewers"}


def callers_of(home):
    with closing(sqlite3.connect(home / PREDICTION_LOG_FILE)) as db:
        return [row[0] for row in db.execute("SELECT caller FROM predictions ORDER BY id")]


@pytest.fixture
def public(released, make_app):
    return make_app(released, host=EVERY).test_client()


def test_a_public_app_without_sign_in_answers_applications_and_shows_the_model(public):
    assert public.get("/").headers["Location"] == "/application"
    page = public.get("/application")
    assert page.status_code == 200
    menu = re.findall(
        r'href="(/[^"]*)"', page.text.partition('class="menu"')[2].partition("</ul>")[0]
    )
    assert menu == ["/application", "/batch", "/model", "/api/docs"]
    assert public.post("/application", data=application_fields()).status_code == 200
    assert public.post(URL, json=application_fields()).status_code == 200
    assert public.get("/model").status_code == 200
    assert public.get("/readyz").status_code == 200


def test_a_public_app_without_sign_in_looks_no_account_up(public, released):
    for answer in (
        public.get("/accounts/1"),
        public.post("/", data=ACCOUNT),
        public.post(URL, json=ACCOUNT),
        public.post(f"{URL}/batch", data=LINES, content_type="text/csv"),
        public.post(f"{URL}/batch", data='{"account_id": 1}', content_type="application/x-ndjson"),
        public.post("/batch/results", data={"csv": LINES}),
        public.post("/application", data=ACCOUNT),
        public.get("/history"),
        public.get("/metrics"),
    ):
        assert answer.status_code in (401, 422), answer.request.path
        assert "paid_off" not in answer.text
    page = public.get("/history")
    assert "LOAN_WEB_OIDC_ISSUER" in page.text
    assert not (released / PREDICTION_LOG_FILE).exists(), "nothing was scored"


@pytest.mark.parametrize(
    ("options", "logged"),
    [
        ({"host": EVERY}, "only the application form and the model page are served"),
        ({"host": EVERY, "web_open_accounts": True}, "everybody who reaches it may look"),
        ({"host": "127.0.0.1"}, "only this machine reaches the app"),
        ({"host": EVERY} | BY_HEADER, "users sign in by proxy"),
    ],
)
def test_the_start_is_logged_with_what_is_open(released, make_app, caplog, options, logged):
    with caplog.at_level(logging.INFO, logger="webapp.security.access"):
        make_app(released, **options)
    (record,) = [r for r in caplog.records if r.name == "webapp.security.access"]
    assert logged in record.message


def test_an_explicit_setting_opens_accounts(released, make_app):
    client = make_app(released, host=EVERY, web_open_accounts=True).test_client()
    assert client.post("/", data=ACCOUNT).status_code == 200
    assert client.post(URL, json=ACCOUNT).status_code == 200
    assert client.get("/history").status_code == 200


def test_a_user_whom_the_proxy_names_has_the_rights_of_the_groups(released, make_app):
    client = make_app(released, **BY_HEADER).test_client()
    assert client.get("/", headers=ANN).status_code == 200
    assert client.post("/", data=ACCOUNT, headers=ANN).status_code == 200
    assert client.post(URL, json=ACCOUNT, headers=ANN).status_code == 200
    assert client.get("/model", headers=VERA).status_code == 200
    assert client.get("/", headers=VERA).headers["Location"] == "/model"
    for path in ("/application", "/history", "/batch", "/accounts/1"):
        refused = client.get(path, headers=VERA)
        assert refused.status_code == 403, path
        assert "vera may not" in refused.text
    assert client.post(URL, json=ACCOUNT, headers=VERA).status_code == 403
    assert client.get("/model", headers={"X-User": "nora", "X-Groups": "x"}).status_code == 403
    assert callers_of(released) == ["user:ann", "user:ann"]


@pytest.mark.parametrize("headers", [{}, {"X-User": "ann, vera"}, {"X-User": " "}, {"X-User": ""}])
def test_without_exactly_one_name_nobody_is_let_in(released, make_app, headers):
    client = make_app(released, **BY_HEADER).test_client()
    answer = client.get("/model", headers={"X-Groups": "officers"} | headers)
    assert answer.status_code == 401


def test_the_headers_mean_nothing_where_they_are_not_configured(public):
    assert public.get("/history", headers=ANN).status_code == 401


def test_two_users_of_one_browser_have_two_histories(released, make_app):
    client = make_app(released, **BY_HEADER | {"web_viewer_groups": ()}).test_client()
    bob = {"X-User": "bob", "X-Groups": "officers"}
    client.post("/", data=ACCOUNT, headers=ANN)
    assert "account 1" in client.get("/history", headers=ANN).text
    assert "account 1" not in client.get("/history", headers=bob).text


def test_a_clients_key_opens_the_api_and_the_metrics_and_names_the_client(
    released, make_app, caplog
):
    key, entry = new_api_key("nightly-batch")
    client = make_app(released, web_api_keys=(entry,), **BY_HEADER).test_client()
    sent = {"Authorization": f"Bearer {key}"}
    with caplog.at_level(logging.INFO, logger="webapp.access"):
        assert client.post(URL, json=ACCOUNT, headers=sent).status_code == 200
    (line,) = [r.fields for r in caplog.records if r.name == "webapp.access"]
    assert line["caller"] == "client:nightly-batch"
    assert callers_of(released) == ["client:nightly-batch"]
    assert client.get("/metrics", headers=sent).status_code == 200
    assert client.get("/metrics").status_code == 401
    wrong = client.post(URL, json=ACCOUNT, headers={"Authorization": f"Bearer {key}x"})
    assert wrong.status_code == 401
    assert wrong.headers["WWW-Authenticate"] == "Bearer"


def test_where_users_sign_in_and_no_key_is_made_the_api_says_how_to_make_one(released, make_app):
    client = make_app(released, **BY_HEADER).test_client()
    refused = client.post(URL, json=application_fields())
    assert refused.status_code == 401
    assert "loan-pipeline api-key" in refused.json["detail"]
    assert client.get("/api/v1/openapi.json").json["security"] == [{"key": []}]


def test_anonymous_answers_are_recorded_without_a_caller(client, released):
    client.post(URL, json=ACCOUNT)
    assert callers_of(released) == [None]
