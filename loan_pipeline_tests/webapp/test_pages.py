"""The pages without a browser: what they say, what they refuse, what they keep to themselves."""

import re

import pytest

from loan_pipeline.contracts.features import APPLICATION_FEATURES
from loan_pipeline_tests.helpers.bundles import application_fields, release_bundle

ACCOUNT = {"account_id": "1", "amount": "96000", "duration": "24"}


def text_of(response):
    """The page's visible text, white space squeezed."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.text))


def application_form(**changes):
    return {name: str(value) for name, value in application_fields(**changes).items()}


def test_the_first_page_asks_for_account_amount_and_duration_alone(client):
    page = client.get("/")
    assert page.status_code == 200
    visible = re.findall(r'<input[^>]+name="(\w+)"', page.text)
    assert set(visible) == {"csrf_token", "account_id", "amount", "duration"} - {"csrf_token"}
    assert 'min="1"' in page.text
    assert 'max="100000000"' in page.text


def test_the_application_form_has_a_labelled_field_with_help_for_each_feature(client):
    page = client.get("/application").text
    for feature in APPLICATION_FEATURES:
        assert f'<label for="{feature.name}">' in page
        assert f'id="{feature.name}-help"' in page
        assert f'name="{feature.name}"' in page


def test_an_account_is_answered_with_probability_reasons_and_other_terms(client):
    page = client.post("/", data=ACCOUNT)
    assert page.status_code == 200
    words = text_of(page)
    assert re.search(r"\d+\.\d %", words)
    assert "threshold of 50.0 %" in words
    assert "96,000 CZK over 24 months, 4,000 CZK a month, account 1" in words
    assert "48 months" in words
    assert page.text.count('<td class="points') >= 6


def test_amounts_are_labelled_in_the_banks_currency(released, make_app):
    client = make_app(released, currency="EUR").test_client()
    pages = [client.post("/", data=ACCOUNT)]
    pages += [client.get(path) for path in ("/", "/application", "/model", "/history")]
    pages += [client.get("/api/v1/openapi.json")]
    pages += [client.get("/model/behavioural/pictures/calibration.svg")]
    for page in pages:
        assert "CZK" not in page.text, page.request.path
    assert "96,000 EUR over 24 months" in text_of(pages[0])
    assert "Unit: EUR." in pages[-2].text
    assert "million EUR" in pages[-1].text


def test_page_and_api_answer_alike(client):
    page = client.post("/", data=ACCOUNT)
    answer = client.post(
        "/api/v1/predictions", json={"account_id": 1, "amount": 96000, "duration": 24}
    ).json
    assert f"{100 * answer['probability_paid_off']:.1f} %" in page.text


def test_an_application_is_answered_and_asked_again_with_other_terms(client):
    page = client.post("/application", data=application_form())
    assert page.status_code == 200
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    assert hidden["card_type"] == "classic"
    assert "payments" not in hidden, "the payment follows the new terms"
    again = client.post("/application", data=hidden | {"amount": "48000", "duration": "12"})
    assert again.status_code == 200
    assert "48,000 CZK over 12 months" in text_of(again)


def test_the_reference_loan_fills_the_application_form(client):
    page = client.get("/application?example=1").text
    assert re.search(r'name="duration"[^>]*value="36"', page)
    assert '<option selected value="POPLATEK MESICNE">' in page


def test_empty_nullable_fields_are_missing_values_and_no_errors(client):
    page = client.post("/application", data=application_form(order_amount_mean_czk=""))
    assert page.status_code == 200
    assert "no permanent order" in page.text.lower()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"amount": ""}, "Amount of the loan: is missing"),
        ({"amount": "abc"}, "Amount of the loan: must be a number"),
        ({"amount": "96,000"}, "Amount of the loan: must be a number"),
        ({"amount": "nan"}, "Amount of the loan: must be a number"),
        ({"amount": "-5"}, "Amount of the loan: must be between 1 and 100,000,000"),
        ({"amount": "9" * 400}, "Amount of the loan: must be a number"),
        ({"duration": "24.5"}, "Duration of the loan: must be a whole number of months"),
        ({"account_id": "١٢"}, "Account: must be a whole number, 0 or more"),
        ({"account_id": "99"}, "Account: account 99 is not known"),
        ({"account_id": str(2**64)}, "Account: must be a whole number, 0 or more"),
    ],
)
def test_a_field_at_fault_is_named_and_what_was_typed_stays(client, changes, message):
    page = client.post("/", data=ACCOUNT | changes)
    assert page.status_code == 422
    assert message in text_of(page)
    assert 'aria-invalid="true"' in page.text
    assert re.search(r'name="duration"[^>]*value="24', page.text)


def test_blanks_between_thousands_are_allowed(client):
    assert client.post("/", data=ACCOUNT | {"amount": "96 000"}).status_code == 200
    assert client.post("/", data=ACCOUNT | {"amount": "96\u00a0000"}).status_code == 200


def test_what_is_typed_is_never_markup(client):
    attack = '"><script>alert(1)</script>'
    for field in ACCOUNT:
        page = client.post("/", data=ACCOUNT | {field: attack})
        assert page.status_code == 422
        assert "<script>alert" not in page.text
    page = client.get("/<script>alert(1)</script>")
    assert "<script>alert" not in page.text


def test_the_form_looks_an_account_up(client):
    assert client.get("/accounts/1").json["known"] is True
    text = client.get("/accounts/1").json["text"]
    assert text.startswith("Account 1: how often statements are issued: monthly; credit card: ")
    assert client.get("/accounts/99").json == {
        "known": False,
        "text": "Account 99 is not known.",
    }
    assert client.get(f"/accounts/{10**30}").json["known"] is False


def test_the_history_shows_a_browser_its_own_answers_and_no_others(app):
    mine, other = app.test_client(), app.test_client()
    mine.post("/", data=ACCOUNT)
    other.post("/", data=ACCOUNT | {"account_id": "2"})
    assert "account 1" in text_of(mine.get("/history"))
    assert "account 2" not in text_of(mine.get("/history"))
    assert "None yet" in text_of(app.test_client().get("/history"))


def test_the_model_page_shows_metrics_with_intervals_data_limits_and_pictures(client):
    page = client.get("/model")
    words = text_of(page)
    assert "a bad loan ranks below a good one 0.940 0.900 to 0.970" in words
    assert "328 loans, 46 of them bad" in words
    assert "3, up to the day before 1999-01-01" in words
    assert "9. What are its limits?" in words
    assert "Since this server started, 0 of 0" not in words, "this release keeps no ranges"
    address = re.search(r'src="(/model/behavioural/pictures/[^"]+)"', page.text)[1]
    picture = client.get(address.replace("&amp;", "&"))
    assert picture.mimetype == "image/svg+xml"
    assert "script-src" not in picture.headers["Content-Security-Policy"]
    assert client.get("/model/behavioural/metrics.json").json == {"rows": 328}


@pytest.mark.parametrize(
    "path", ["/model/x/metrics.json", "/model/application/pictures/manifest.json", "/nowhere"]
)
def test_what_does_not_exist_is_a_page_that_says_so(client, path):
    page = client.get(path)
    assert page.status_code == 404
    assert page.mimetype == "text/html"


def test_without_a_release_pages_and_api_say_what_to_run(home, make_app):
    client = make_app(home).test_client()
    for page in (client.get("/"), client.get("/application"), client.get("/model")):
        assert page.status_code == 503
        assert "<code>make run</code>" in page.text
        assert page.headers["Retry-After"]
    answer = client.post("/api/v1/predictions", json={"account_id": 1, "amount": 1, "duration": 1})
    assert answer.status_code == 503
    assert answer.mimetype == "application/problem+json"
    assert "make run" in answer.json["detail"]
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_with_one_release_alone_the_other_form_says_so(home, make_app):
    release_bundle(home / "lake", "application")
    client = make_app(home).test_client()
    assert client.get("/application").status_code == 200
    assert client.get("/").status_code == 503
    assert client.get("/readyz").status_code == 503


@pytest.mark.parametrize("path", ["/", "/application", "/batch", "/batch/results"])
def test_a_form_without_its_token_is_refused(released, make_app, path):
    client = make_app(released, csrf=True).test_client()
    page = client.post(path, data=ACCOUNT)
    assert page.status_code == 400
    assert "The form is no longer valid" in page.text


def test_a_form_with_its_token_is_answered(released, make_app):
    client = make_app(released, csrf=True).test_client()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/").text)[1]
    assert client.post("/", data=ACCOUNT | {"csrf_token": token}).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/", "/model", "/nowhere", "/static/app.css", "/readyz", "/api/v1/openapi.json", "/api/v1/no"],
)
def test_every_answer_carries_the_headers_that_protect(client, path):
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert len(headers.getlist("Cache-Control")) == 1
    assert re.fullmatch(r"[0-9a-f]{32}", headers["X-Request-ID"])
    if path.startswith("/api/v1/"):
        assert headers["Cache-Control"] == "no-store"
        assert "script-src" not in policy, "data runs nothing at all"
        return
    assert "script-src 'self'" in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


def test_pages_ask_nothing_of_other_hosts(client):
    client.post("/", data=ACCOUNT)
    for path in ("/", "/application", "/batch", "/model", "/history", "/api/docs"):
        addresses = re.findall(r'(?:src|href|action)="([^"]*)"', client.get(path).text)
        assert addresses
        assert [a for a in addresses if a.startswith(("http", "//"))] == []


def test_cookies_are_for_https_alone_where_https_is_spoken(app):
    client = app.test_client()
    plain = client.post("/", data=ACCOUNT).headers["Set-Cookie"]
    assert "HttpOnly" in plain
    assert "SameSite=Lax" in plain
    assert "Secure" not in plain
    secure = app.test_client().post("/", data=ACCOUNT, base_url="https://loans.example")
    assert "Secure" in secure.headers["Set-Cookie"]
    assert secure.headers["Strict-Transport-Security"]


def test_bodies_of_ten_megabytes_are_refused(client):
    page = client.post("/", data={"account_id": "1" * 10_000_000})
    assert page.status_code == 413
