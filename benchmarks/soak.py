"""Mixed traffic for as long as is asked for: does the served app leak, lose or mix anything up?

Pages, API requests (good and bad ones) and batches, at a bounded rate, while a release is swapped
every minute and the store, an S3 server of our own, fails now and then.
"""

import json
import logging
import sqlite3
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx
import psutil
from moto.server import ThreadedMotoServer

from benchmarks.comparison import Comparison
from loan_pipeline.contracts.prediction_log import PREDICTION_LOG_FILE
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline_tests.helpers.bundles import ACCOUNTS, application_fields, release_bundle
from loan_pipeline_tests.helpers.s3_trouble import TroubledS3
from loan_pipeline_tests.helpers.server import Server, start_server

MINUTES = 5.0
SECONDS_BETWEEN_RELEASES = 60.0
PAUSE = 0.02  # of each of the four clients, after an answer
BATCH_LINES = 100
SAMPLES = 120  # of memory and descriptors, at most

# What is allowed between the second quarter and the last; the first warms up.
DESCRIPTORS_ALLOWED = 4
MEGABYTES_ALLOWED = 8.0

_BUCKET, _PREFIX = "soak", "lake"
_PAGES = ("/", "/application", "/model", "/batch", "/history", "/api/v1/openapi.json")
_AWS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class SoakFailed(LoanPipelineError):
    """Something leaked, was lost or answered wrongly; the message has the figures."""


@dataclass
class _Traffic:
    """What the clients sent and got, filled by their threads."""

    until: float
    answers: Counter[str] = field(default_factory=Counter)
    scored: Counter[str] = field(default_factory=Counter)  # answers by release
    problems: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, kind: str, response: httpx.Response, status: int) -> None:
        with self.lock:
            self.answers[kind] += 1
            if response.status_code != status:
                self.problems.append(f"{kind}: {response.status_code} {response.text[:200]}")

    def score(self, answer: dict[str, Any]) -> None:
        with self.lock:
            self.scored[answer["model_version"]] += 1


_Work = Callable[[httpx.Client, int, _Traffic], None]  # sends a client's next request


def main(minutes: float = MINUTES) -> dict[str, Any]:
    """Run it; print and return the figures.

    Raises:
        SoakFailed: see there.
    """
    with tempfile.TemporaryDirectory(prefix="bench-soak-") as name, _store() as (store, trouble):
        folder = Path(name)
        releases = _Releases(folder / "releases", store)
        releases.publish()
        with _serving(folder, trouble) as server:
            traffic = _Traffic(time.monotonic() + 60 * minutes)
            samples = _run(server, traffic, releases)
        figures = _figures(traffic, samples, server.log, folder)
    figures |= {"minutes": minutes, "releases": releases.count}
    figures["store"] = {str(kind): count for kind, count in trouble.seen.items()}
    before, after = figures["megabytes"]  # half the time lies between them
    figures["megabytes_an_hour"] = (after - before) / (minutes / 2) * 60
    for key in ("answers", "releases", "store", "megabytes", "megabytes_an_hour", "descriptors"):
        print(f"{key}: {figures[key]}")
    if figures["problems"]:
        raise SoakFailed("\n".join(figures["problems"][:20]))
    return figures


class _Releases:
    """Puts a new release of both feature sets into the store, past the troubled way there."""

    def __init__(self, folder: Path, store: Any) -> None:
        self._folder, self._store = folder, store
        self.count = 0

    def publish(self) -> None:
        self.count += 1
        version = f"20261122T{self.count // 60:02}{self.count % 60:02}00Z-00000001"
        for name in ("application", "behavioural"):
            release_bundle(self._folder, name, version=version)  # type: ignore[arg-type]
            root = self._folder / "releases" / name
            for path in [*sorted((root / version).iterdir()), root / "latest.json"]:
                key = f"{_PREFIX}/{path.relative_to(self._folder).as_posix()}"
                self._store.upload_file(str(path), _BUCKET, key)


@contextmanager
def _store() -> Iterator[tuple[Any, TroubledS3]]:
    """An S3 server with a bucket, and what fails in front of it: one request in ten."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    kinds = {3: "SlowDown", 13: "cut", 23: "slow", 33: "InternalError", 43: "lost"}
    try:
        client = boto3.client(
            "s3", endpoint_url=f"http://{host}:{port}", aws_access_key_id="testing",
            aws_secret_access_key="testing", region_name="us-east-1",  # noqa: S106
        )  # fmt: skip
        client.create_bucket(Bucket=_BUCKET)
        with TroubledS3(f"http://{host}:{port}", lambda _m, _p, n: kinds.get(n % 50)) as trouble:
            yield client, trouble
    finally:
        server.stop()


@contextmanager
def _serving(folder: Path, trouble: TroubledS3) -> Iterator[Server]:
    (folder / "home").mkdir()
    server = start_server(
        folder / "home",
        folder / "server.log",
        LOAN_LAKE_URL=f"s3://{_BUCKET}/{_PREFIX}",
        LOAN_WEB_RELEASE_CHECK_SECONDS="1",
        AWS_ENDPOINT_URL=trouble.url,
        **_AWS,
    )
    try:
        deadline = time.monotonic() + 60
        while httpx.get(f"{server.url}/readyz").status_code != 200:
            if time.monotonic() > deadline:
                raise SoakFailed("the server was not ready after a minute")
            time.sleep(0.1)
        yield server
    finally:
        server.stop()


def _run(server: Server, traffic: _Traffic, releases: _Releases) -> list[tuple[int, float]]:
    """Traffic, releases and samples (descriptors, megabytes) until the time is over."""
    clients = [
        threading.Thread(target=_client, args=(server.url, traffic, work))
        for work in (_ask_pages, _ask_api, _ask_api, _ask_batches)
    ]
    for thread in clients:
        thread.start()
    process, samples = psutil.Process(server.process.pid), []
    started = time.monotonic()
    pause = max((traffic.until - started) / SAMPLES, 0.1)
    next_release = started + min(SECONDS_BETWEEN_RELEASES, (traffic.until - started) / 3)
    while time.monotonic() < traffic.until:
        samples.append((process.num_fds(), process.memory_info().rss / 1e6))
        if time.monotonic() > next_release:
            releases.publish()
            next_release = time.monotonic() + SECONDS_BETWEEN_RELEASES
        time.sleep(pause)
    for thread in clients:
        thread.join()
    return samples


def _client(url: str, traffic: _Traffic, work: _Work) -> None:
    number = 0
    with httpx.Client(base_url=url, timeout=30) as client:
        while time.monotonic() < traffic.until:
            try:
                work(client, number, traffic)
            except httpx.HTTPError as error:
                with traffic.lock:
                    traffic.problems.append(f"{work.__name__}: {error!r}")
            number += 1
            time.sleep(PAUSE)


def _ask_pages(client: httpx.Client, number: int, traffic: _Traffic) -> None:
    traffic.expect("page", client.get(_PAGES[number % len(_PAGES)]), 200)


def _ask_api(client: httpx.Client, number: int, traffic: _Traffic) -> None:
    body, status = _body(number)
    response = client.post("/api/v1/predictions", json=body)
    traffic.expect("API", response, status)
    if response.status_code == 200:
        traffic.score(response.json())


def _body(number: int) -> tuple[dict[str, Any], int]:
    """A request and what it must be answered with: every seventh is unusable."""
    if number % 7 == 3:
        return {"account_id": 999_999_999, "amount": 50_000, "duration": 24}, 404
    if number % 7 == 5:
        return {"account_id": ACCOUNTS[0], "amount": -1, "duration": "?"}, 422
    if number % 3 == 0:
        return application_fields(amount=10_000 + number % 90_000), 200
    account = ACCOUNTS[number % len(ACCOUNTS)]
    return {"account_id": account, "amount": 10_000 + number % 90_000, "duration": 24}, 200


def _ask_batches(client: httpx.Client, number: int, traffic: _Traffic) -> None:
    asked = [_body(7 * (number + line)) for line in range(BATCH_LINES)]  # none unusable
    response = client.post(
        "/api/v1/predictions/batch",
        content="\n".join(json.dumps(body) for body, _ in asked),
        headers={"Content-Type": "application/x-ndjson"},
    )
    traffic.expect("batch", response, 200)
    for line in response.text.splitlines():
        traffic.score(json.loads(line))


def _figures(
    traffic: _Traffic, samples: list[tuple[int, float]], log: Path, folder: Path
) -> dict[str, Any]:
    """The figures; `problems` is empty where all is well."""
    problems = list(traffic.problems)
    answered, logged = sum(traffic.answers.values()), _logged(log)
    recorded = _recorded(folder / "home")
    descriptors, megabytes = (_quarters(column) for column in zip(*samples, strict=True))
    grown = megabytes[1] - megabytes[0]
    if logged != answered:
        problems.append(f"{answered:,} answers but {logged:,} lines in the log")
    if recorded != traffic.scored:
        problems.append(f"recorded {recorded}, but answered {traffic.scored}")
    if descriptors[1] - descriptors[0] > DESCRIPTORS_ALLOWED:
        problems.append(f"descriptors grew from {descriptors[0]:.0f} to {descriptors[1]:.0f}")
    if grown > MEGABYTES_ALLOWED:
        problems.append(f"memory grew from {megabytes[0]:.1f} to {megabytes[1]:.1f} MB")
    return {
        "answers": dict(traffic.answers),
        "scores": sum(traffic.scored.values()),
        "descriptors": descriptors,
        "megabytes": megabytes,
        "problems": problems,
        "comparisons": [
            Comparison("memory after the last quarter", "MB", megabytes[1]).as_data(),
            Comparison("memory grown since the second quarter", "MB", grown).as_data(),
            Comparison("answers without a line in the log", "", float(answered - logged)).as_data(),
        ],
    }


def _quarters(values: tuple[float, ...]) -> tuple[float, float]:
    """Medians of the second quarter and of the last."""
    quarter = max(len(values) // 4, 1)
    return (
        statistics.median(values[quarter : 2 * quarter] or values),
        statistics.median(values[-quarter:]),
    )


def _logged(log: Path) -> int:
    """Lines of answered requests, but for those of the health check."""
    lines = (json.loads(line) for line in log.read_text().splitlines() if line.startswith("{"))
    return sum(line.get("message") == "request answered" for line in lines)


def _recorded(home: Path) -> Counter[str]:
    """Recorded scores by release."""
    with closing(sqlite3.connect(home / PREDICTION_LOG_FILE)) as log:
        query = "SELECT model_version, count(*) FROM predictions GROUP BY model_version"
        return Counter(dict(log.execute(query).fetchall()))
