"""What a Spark session is started with: S3 as boto3 found it, and secrets masked where shown."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from loan_pipeline.features.spark import masked, session_configuration
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.s3_store import aws_session

S3A = "spark.hadoop.fs.s3a."
PROVIDER = f"{S3A}aws.credentials.provider"


@pytest.fixture(autouse=True)
def own_session() -> Iterator[None]:
    """Credentials of this test alone: a process asks for them once."""
    aws_session.cache_clear()
    yield
    aws_session.cache_clear()


def test_a_folder_needs_no_more_than_quiet_progress(tmp_path: Path) -> None:
    assert session_configuration(open_store(tmp_path.as_uri())) == {
        "spark.ui.showConsoleProgress": "false",
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
    }


def test_s3_takes_region_endpoint_and_keys_from_boto3(s3_url: str) -> None:
    found = session_configuration(open_store(s3_url))
    assert {name.removeprefix(S3A): value for name, value in found.items() if S3A in name} == {
        "endpoint.region": "eu-central-1",
        "endpoint": os.environ["AWS_ENDPOINT_URL"],
        "path.style.access": "true",
        "connection.ssl.enabled": "false",
        "aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "access.key": "testing",
        "secret.key": "testing-secret",
    }


def test_temporary_keys_come_with_their_token(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token")
    found = session_configuration(open_store(s3_url))
    assert found[PROVIDER].endswith("TemporaryAWSCredentialsProvider")
    assert found[f"{S3A}session.token"] == "a-token"


def test_a_machines_role_is_left_to_each_machine(
    s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Role(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = {"AccessKeyId": "role", "SecretAccessKey": "role-secret", "Token": "role-token",
                    "Expiration": "2099-01-01T00:00:00Z"}  # fmt: skip
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Role) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        address = f"http://127.0.0.1:{server.server_port}/role"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address)
        found = session_configuration(open_store(s3_url))
        server.shutdown()
    assert f"{S3A}endpoint.region" in found
    assert not any("key" in name or "token" in name or name == PROVIDER for name in found)


def test_what_is_printed_has_every_setting_and_no_secret(
    s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token")
    monkeypatch.setenv("LOAN_LAKE_URL", s3_url)
    monkeypatch.setenv("LOAN_SPARK_MASTER", "spark://master:7077")
    printed = subprocess.run(
        [sys.executable, "-m", "loan_pipeline.features.spark"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    lines = dict(line.split("=", 1) for line in printed.splitlines())
    configuration = session_configuration(open_store(s3_url))
    assert lines == {"spark.master": "spark://master:7077", **masked(configuration)}
    for secret in ("testing", "a-token"):
        assert secret in configuration.values()
        assert secret not in printed
