"""The web app on Lambda: the zip, built as for a deployment, answers events in its own process.

Not tried: Lambda itself, its Amazon Linux, its own boto3. The interpreter has the same version, and
only wheels for its C library are taken.
"""

import json
import os
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import boto3
import pytest

from loan_pipeline.contracts.shipped_predictions import unpacked_rows
from loan_pipeline.settings import Settings
from loan_pipeline_tests.helpers.bundles import application_fields, release_bundle
from loan_pipeline_tests.helpers.cloudformation import ROOT, template
from loan_pipeline_tests.helpers.lambda_function import (
    RUNTIME_BRINGS,
    LambdaFunction,
    function_url_event,
    http_api_event,
    interpreter,
    runtime,
)
from webapp.app import create_app

# The build takes a minute on a machine of its own, and many on a busy one.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

_LIMIT = 262_144_000  # bytes unpacked, layers included: Lambda's own
_AIM = 180_000_000
_ACCOUNT = {"account_id": 1787, "amount": 96_000, "duration": 24}
_JSON = {"content_type": "application/json"}


@pytest.fixture(scope="module")
def zip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make lambda` unpacks and zips."""
    if (python := interpreter()) is None:
        pytest.skip(f"{runtime()}, which the function runs on, is not installed")
    if not (ROOT / "webapp/static/vendor/pico.min.css").exists():
        pytest.skip("the style sheets are missing: make web-assets")
    out = tmp_path_factory.mktemp("lambda")
    built = subprocess.run(
        ["bash", "deploy/build_lambda.sh", str(out)],
        cwd=ROOT, env=_plain_environment() | {"PYTHON": python}, capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-3000:]
    print(built.stdout)
    return out


def _plain_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Lambda's runtime has: boto3 and what it needs."""
    folder = tmp_path_factory.mktemp("runtime")
    spec = find_spec("boto3")
    assert spec is not None
    assert spec.origin is not None
    packages = Path(spec.origin).parents[1]
    for name in RUNTIME_BRINGS:
        (folder / name).symlink_to(packages / name)
    return folder


@pytest.fixture
def variables(s3_url: str, aws_environment: str, tmp_path: Path) -> dict[str, str]:
    """A function's environment, and a lake on S3 with a release of both feature sets."""
    for name in ("application", "behavioural"):
        release_bundle(tmp_path / "lake", name)
    client, lake = boto3.client("s3", endpoint_url=aws_environment), urlsplit(s3_url)
    for path in (tmp_path / "lake").rglob("*.*"):
        if path.is_file():
            key = f"{lake.path.strip('/')}/{path.relative_to(tmp_path / 'lake')}"
            client.upload_file(str(path), lake.netloc, key)
    of_template = {
        name: value
        for name, value in template("web")["Resources"]["App"]["Properties"]["Environment"][
            "Variables"
        ].items()
        if name == "LOAN_WEB_SHIPPING"
    }
    return {
        "LOAN_HOME": str(tmp_path / "home"),
        "LOAN_LAKE_URL": s3_url,
        **of_template,
        "LOAN_WEB_SECRET_KEY": "a-key-of-this-test-alone",
        "LOAN_WEB_OPEN_ACCOUNTS": "true",
        "AWS_ENDPOINT_URL": aws_environment,
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture
def start(
    zip_folder: Path, brought: Path, variables: dict[str, str]
) -> Iterator[Callable[[], LambdaFunction]]:
    """Starts functions that share one lake."""
    functions: list[LambdaFunction] = []

    def begin() -> LambdaFunction:
        functions.append(LambdaFunction(zip_folder / "lambda", brought, variables))
        return functions[-1]

    yield begin
    for function in functions:
        function.kill()


def _recorded(url: str, endpoint: str) -> list[dict[str, Any]]:
    """The prediction rows in the lake."""
    client, lake = boto3.client("s3", endpoint_url=endpoint), urlsplit(url)
    listed = client.list_objects_v2(
        Bucket=lake.netloc, Prefix=f"{lake.path.strip('/')}/predictions/"
    )
    return [
        row
        for entry in listed.get("Contents", ())
        for row in unpacked_rows(
            client.get_object(Bucket=lake.netloc, Key=entry["Key"])["Body"].read()
        )
    ]


def test_the_zip_is_well_below_what_lambda_unpacks(zip_folder: Path) -> None:
    files = [path for path in (zip_folder / "lambda").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    print(f"{size:,} bytes unpacked, {(zip_folder / 'lambda.zip').stat().st_size:,} zipped")
    assert size < _AIM < _LIMIT


@pytest.mark.parametrize("event", [http_api_event, function_url_event])
def test_every_page_and_call_is_answered(
    start: Callable[[], LambdaFunction], event: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    function = start()
    form = {"content_type": "application/x-www-form-urlencoded"}
    page = function.invoke(event("GET", "/"))
    token = re.search(rb'name="csrf_token"[^>]*value="([^"]+)"', page["body"])
    assert token
    cookie = page["cookies"][0].partition(";")[0]
    assert "Secure" in page["cookies"][0]
    signed = {"csrf_token": token[1].decode()}
    session = {
        **form,
        "cookie": cookie,
        "referer": f"https://{event('GET', '/')['headers']['host']}/",
    }
    lines = b"account_id,amount,duration\n1,50000,12\n1787,96000,24\n"
    upload = (
        b"--xx\r\ncontent-disposition: form-data; name=csrf_token\r\n\r\n"
        + token[1]
        + b"\r\n--xx\r\ncontent-disposition: form-data; name=file; filename=loans.csv\r\n"
        + b"content-type: text/csv\r\n\r\n" + lines + b"\r\n--xx--\r\n"
    )  # fmt: skip
    picture = re.search(
        rb'src="(/model/behavioural/pictures/[^"]+)"',
        function.invoke(event("GET", "/model"))["body"],
    )
    assert picture
    requests = [
        ("GET", "/static/app.css", None, {}),
        ("POST", "/", urlencode({**_ACCOUNT, **signed}).encode(), session),
        ("GET", "/application?example", None, {}),
        ("POST", "/application", urlencode({**application_fields(), **signed}).encode(), session),
        ("GET", "/accounts/1787", None, {}),
        ("GET", "/batch", None, {}),
        ("POST", "/batch", upload, {**session, "content_type": "multipart/form-data; boundary=xx"}),
        ("POST", "/batch/results", urlencode({"csv": lines.decode(), **signed}).encode(), session),
        ("GET", "/batch/template/account.csv", None, {}),
        ("GET", "/history", None, {"cookie": cookie}),
        ("GET", "/portfolio", None, {}),
        ("GET", f"/letter/{'0' * 32}", None, {"cookie": cookie}),  # of no refusal of this browser
        ("GET", "/model", None, {}),
        ("GET", picture[1].decode(), None, {}),
        ("GET", "/model/behavioural/metrics.json", None, {}),
        ("GET", "/api/docs", None, {}),
        ("GET", "/api/v1/openapi.json", None, {}),
        ("POST", "/api/v1/predictions", json.dumps(_ACCOUNT).encode(), _JSON),
        ("POST", "/api/v1/predictions", json.dumps(application_fields()).encode(), _JSON),
        ("POST", "/api/v1/predictions/batch", lines, {"content_type": "text/csv"}),
        ("GET", "/healthz", None, {}),
        ("GET", "/readyz", None, {}),
        ("GET", "/metrics", None, {}),
    ]
    app = create_app(Settings(home=tmp_path / "rules"))
    matched = set()
    with app.test_request_context():
        urls = app.url_map.bind("localhost")
        for method, path, body, headers in [("GET", "/", None, {}), *requests]:
            answer = function.invoke(event(method, path, body, **headers))
            wanted = 404 if path.startswith("/letter/") else 200
            assert answer["statusCode"] == wanted, (method, path, answer["body"][:500])
            assert answer["body"]
            matched.add((method, urls.match(path.partition("?")[0], method)[0]))
    app.extensions["loan_pipeline"].close()
    every = {
        (method, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if method in {"GET", "POST"}
    }
    assert matched == every


def test_an_answer_is_in_the_lake_before_it_is_given(
    start: Callable[[], LambdaFunction], s3_url: str, aws_environment: str
) -> None:
    request = http_api_event("POST", "/api/v1/predictions", json.dumps(_ACCOUNT).encode(), **_JSON)
    lines = b"account_id,amount,duration\n1,50000,12\n2,96000,24\n"
    function = start()
    for count in (1, 2):
        assert function.invoke(request)["statusCode"] == 200
        function.freeze()  # nothing runs from here on until the next request
        assert len(_recorded(s3_url, aws_environment)) == count
        function.thaw()
    batch = http_api_event("POST", "/api/v1/predictions/batch", lines, content_type="text/csv")
    assert function.invoke(batch)["statusCode"] == 200
    function.kill()  # a frozen process may never be thawed
    rows = _recorded(s3_url, aws_environment)
    assert len({row["prediction_id"] for row in rows}) == len(rows) == 4
    assert sorted(row["account_id"] for row in rows) == [1, 2, 1787, 1787]
    assert {row["source"] for row in rows} == {"api", "batch"}


def test_an_answer_that_the_lake_refuses_is_not_given(
    start: Callable[[], LambdaFunction], s3_url: str, aws_environment: str
) -> None:
    request = http_api_event("POST", "/api/v1/predictions", json.dumps(_ACCOUNT).encode(), **_JSON)
    function = start()
    assert function.invoke(request)["statusCode"] == 200
    client, lake = boto3.client("s3", endpoint_url=aws_environment), urlsplit(s3_url).netloc
    for entry in client.list_objects_v2(Bucket=lake)["Contents"]:
        client.delete_object(Bucket=lake, Key=entry["Key"])
    client.delete_bucket(Bucket=lake)
    answer = function.invoke(request)
    assert answer["statusCode"] == 503
    assert b"probability" not in answer["body"]
    # The alarm looks for words that are in the log.
    pattern = template("alarms")["Resources"]["LostPredictions"]["Properties"]["FilterPattern"]
    assert any(words in function.log() for words in re.findall(r'"([^"]+)"', pattern))


def test_a_process_that_was_frozen_follows_releases_when_it_is_thawed(
    start: Callable[[], LambdaFunction], variables: dict[str, str], tmp_path: Path
) -> None:
    variables["LOAN_WEB_RELEASE_CHECK_SECONDS"] = "0.5"
    function, look = start(), http_api_event("GET", "/readyz")
    before = json.loads(function.invoke(look)["body"])["models"]["behavioural"]["version"]
    function.freeze()
    newer = release_bundle(tmp_path / "newer", "behavioural", version="20261123T120000Z-00000002")
    client, lake = (
        boto3.client("s3", endpoint_url=variables["AWS_ENDPOINT_URL"]),
        urlsplit(variables["LOAN_LAKE_URL"]),
    )
    for path in sorted((tmp_path / "newer").rglob("*.*")):
        key = f"{lake.path.strip('/')}/{path.relative_to(tmp_path / 'newer')}"
        client.upload_file(str(path), lake.netloc, key)
    function.thaw()
    deadline = time.monotonic() + 10
    version = before
    while version == before and time.monotonic() < deadline:
        version = json.loads(function.invoke(look)["body"])["models"]["behavioural"]["version"]
    assert version == newer.version != before


def test_it_starts_in_seconds_and_answers_in_milliseconds(
    start: Callable[[], LambdaFunction],
) -> None:
    request = http_api_event("POST", "/api/v1/predictions", json.dumps(_ACCOUNT).encode(), **_JSON)
    started = time.perf_counter()
    function = start()
    assert function.invoke(request)["statusCode"] == 200
    cold, cold_cpu = time.perf_counter() - started, function.cpu_seconds()
    warm = statistics.median(function.milliseconds(request, 50))
    warm_cpu = 1000 * (function.cpu_seconds() - cold_cpu) / 50
    print(
        f"process start to first answer {cold:.2f} s ({cold_cpu:.2f} s of processor), "
        f"then {warm:.1f} ms a request ({warm_cpu:.1f} ms of processor)"
    )
    # Of processor: a busy machine must not fail this. Lambda starts anew what takes 10 s to start.
    assert cold_cpu < 5
    assert warm_cpu < 50


def test_nothing_is_imported_that_only_a_server_or_the_pipeline_needs(
    start: Callable[[], LambdaFunction],
) -> None:
    function = start()
    assert function.invoke(http_api_event("GET", "/healthz"))["statusCode"] == 200
    assert not function.modules() & {"waitress", "pandas", "pyarrow", "dagster", "pytest"}
