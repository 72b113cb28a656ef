"""Whatever is sent, the app answers as described and never with a 5xx."""

import io
import json
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loan_pipeline.contracts.features import APPLICATION_FEATURES
from loan_pipeline.settings import Settings
from loan_pipeline_tests.helpers.bundles import application_fields, release_bundle
from webapp import create_app

pytestmark = pytest.mark.slow

RELAXED = settings(
    deadline=None,
    max_examples=150,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    release_bundle(home / "lake", "application")
    release_bundle(home / "lake", "behavioural")
    app = create_app(Settings(home=home, web_release_check_seconds=3600), host="127.0.0.1")
    app.config.update(WTF_CSRF_ENABLED=False)
    yield app
    app.extensions["loan_pipeline"].close()


@pytest.fixture(scope="module")
def client(fuzzed) -> Iterator[FlaskClient]:
    return fuzzed.test_client()


@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize("path", ["/api/v1/predictions", "/api/v1/predictions/batch"])
def test_the_api_keeps_to_its_description(fuzzed, path, mode):
    # A second of imports, which else every process that collects tests would take.
    import schemathesis
    from schemathesis.checks import CHECKS
    from schemathesis.generation import GenerationMode

    described = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", fuzzed)
    checks = CHECKS.get_all()
    asked = 0

    @settings(RELAXED, max_examples=60)
    @given(case=described[path]["POST"].as_strategy(generation_mode=GenerationMode(mode)))
    def keeps_to_its_description(case):
        nonlocal asked
        asked += 1
        case.call_and_validate(checks=checks)

    keeps_to_its_description()
    assert asked >= 10


ODD_TEXTS = (
    *("", " ", "0", "-0", "1e5", "1e999", "NaN", "inf", "-1", "9" * 5000, "0x10", "1_000", "1,000"),
    *("½", "٣", "\uff11", "\x00", "\ud800", "'; DROP TABLE", "<script>", "{{7*7}}"),
)
odd_text = st.one_of(
    st.text(max_size=60),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(ODD_TEXTS),
)


@RELAXED
@given(fields=st.dictionaries(st.sampled_from(["account_id", "amount", "duration"]), odd_text))
def test_the_account_form_takes_anything(client, fields):
    good = {"account_id": "1", "amount": "96000", "duration": "24"}
    check_form(client, "/", good | fields)


@RELAXED
@given(
    fields=st.dictionaries(
        st.sampled_from([feature.name for feature in APPLICATION_FEATURES]), odd_text
    )
)
def test_the_application_form_takes_anything(client, fields):
    good = {name: str(value) for name, value in application_fields().items()}
    check_form(client, "/application", good | fields)


def check_form(client, path, fields):
    encodable = {k: v.encode("utf-8", "replace").decode() for k, v in fields.items()}
    page = client.post(path, data=encodable)
    assert page.status_code in (200, 422)
    assert "<script>" not in page.text.replace("<script src=", "")


@RELAXED
@given(body=st.binary(max_size=300), charset=st.sampled_from(["utf-8", "latin-1", "utf-16", "x"]))
def test_forms_take_any_bytes_in_any_charset(client, body, charset):
    for content_type in (
        f"application/x-www-form-urlencoded; charset={charset}",
        f"multipart/form-data; boundary=x; charset={charset}",
        f"text/plain; charset={charset}",
    ):
        page = client.post("/", data=body, content_type=content_type)
        assert page.status_code in (400, 413, 422)


@RELAXED
@given(
    pairs=st.lists(
        st.tuples(st.sampled_from(["account_id", "amount", "duration"]), odd_text), max_size=12
    )
)
def test_repeated_fields_are_answered_or_refused(client, pairs):
    body = "&".join(f"{k}={v.encode('utf-8', 'replace').hex()}" for k, v in pairs)
    page = client.post("/", data=body, content_type="application/x-www-form-urlencoded")
    assert page.status_code in (200, 422)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@RELAXED
@given(
    fields=st.dictionaries(
        st.sampled_from([*application_fields(), "account_id", "other"]), json_values
    )
)
def test_the_api_takes_any_json(client, fields):
    for good in ({}, {"account_id": 1, "amount": 96_000, "duration": 24}, application_fields()):
        answer = client.post(
            "/api/v1/predictions",
            data=json.dumps(good | fields),
            content_type="application/json",
        )
        assert answer.status_code in (200, 404, 422)
        if answer.status_code == 200:
            assert 0 <= answer.json["probability_paid_off"] <= 1


@RELAXED
@given(data=st.binary(max_size=400) | st.text(alphabet="1,;\n\r\"'=aé \x00", max_size=200))
def test_batches_take_any_file(client, data):
    content = data if isinstance(data, bytes) else data.encode()
    for body in (content, b"account_id,amount,duration\n" + content):
        for content_type in ("text/csv", "application/x-ndjson"):
            answer = client.post("/api/v1/predictions/batch", data=body, content_type=content_type)
            assert answer.status_code in (200, 422)
        page = client.post("/batch", data={"file": (io.BytesIO(body), "x.csv")})
        assert page.status_code in (200, 422)


@RELAXED
@given(path=st.text(max_size=60), query=st.text(max_size=60))
def test_any_address_is_answered(client, path, query):
    from urllib.parse import quote

    address = (
        "/" + quote(path.encode("utf-8", "replace")) + "?" + quote(query.encode("utf-8", "replace"))
    )
    assert client.get(address, follow_redirects=True).status_code in (200, 400, 404, 405)
