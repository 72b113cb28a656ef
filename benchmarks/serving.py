"""A whole `POST /api/v1/predictions` against a bare Flask route and against AutoGluon in the app.

All three are served alike: gunicorn, one worker, kept connections, on this machine alone. The bare
route reads the JSON and answers the same JSON, Flask's own way, without doing anything for it. Ours verifies, looks the account up,
scores, explains, records, measures and logs.
"""

import http.client
import json
import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from loan_pipeline.contracts.bundle import ACCOUNTS_FILE
from loan_pipeline.lake.store import open_store
from loan_pipeline.scoring.release import NoRelease, fetch_release
from loan_pipeline.settings import Settings
from loan_pipeline_tests.bundles import release_bundle

ROOT = Path(__file__).parents[1]
URL = "/api/v1/predictions"
ROUNDS = 6
REQUESTS = 400  # per round and server
CONNECTIONS = 4
SECONDS_OF_LOAD = 3.0
RATIO_ALLOWED = 1.5
AUTOGLUON_RATIO_WANTED = 50.0

_BARE = """
import json
from flask import Flask, request
ANSWER = json.load(open({path!r}))
app = Flask(__name__)
@app.post("/api/v1/predictions")
def predict():
    request.get_json()
    return ANSWER
@app.get("/healthz")
def healthz():
    return "alive"
"""

_AUTOGLUON = """
import pandas
from autogluon.tabular import TabularPredictor
from flask import Flask, request
predictor = TabularPredictor.load({path!r}, require_py_version_match=False)
predictor.persist()
row = pandas.read_json({row!r}, orient="records")
app = Flask(__name__)
@app.post("/api/v1/predictions")
def predict():
    request.get_json()
    return {{"probability_paid_off": float(predictor.predict_proba(row)[1].iloc[0])}}
@app.get("/healthz")
def healthz():
    return "alive"
"""


def main() -> dict[str, Any]:
    """Run the comparison; print a table and answer the figures."""
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as folder:
        return _compare(Path(folder))


def _compare(folder: Path) -> dict[str, Any]:
    home, account, model = _released(folder)
    body = json.dumps({"account_id": account, "amount": 96_000, "duration": 24})
    with _served("webapp:create_app()", home, ROOT) as port:
        answer = _ask(http.client.HTTPConnection("127.0.0.1", port), body)
        (folder / "answer.json").write_bytes(answer)
        (folder / "bare.py").write_text(_BARE.format(path=str(folder / "answer.json")))
        with _served("bare:app", home, folder) as bare_port:
            ours, bare = _alternating(body, port, bare_port)
            ours["per_second"] = _per_second(body, port)
            bare["per_second"] = _per_second(body, bare_port)
    ratio = {name: ours[name] / bare[name] for name in ("p50_ms", "p99_ms")}
    print(f"model: {model}; {len(json.loads(answer)['reasons'])} reasons in each answer")
    print(f"{'':24}{'p50 ms':>10}{'p99 ms':>10}{'per second':>12}")
    for name, figures in (("this app", ours), ("bare Flask route", bare)):
        print(
            f"{name:24}{figures['p50_ms']:10.2f}{figures['p99_ms']:10.2f}"
            f"{figures['per_second']:12,.0f}"
        )
    print(f"ratio {ratio['p50_ms']:.2f} at the median (at most {RATIO_ALLOWED})")
    return {
        "model": model,
        "ours": ours,
        "bare_flask": bare,
        "ratio_p50": ratio["p50_ms"],
        "ratio_p99": ratio["p99_ms"],
        "ratio_allowed": RATIO_ALLOWED,
    }


def _released(folder: Path) -> tuple[Path, int, str]:
    """A LOAN_HOME to serve from, one of its accounts, and which model that is."""
    settings = Settings()
    try:
        bundle = fetch_release(open_store(settings.lake), "behavioural", settings.home / "cache")
    except NoRelease:
        release_bundle(folder / "home/lake", "behavioural")
        return folder / "home", 1, "a small one of the tests (nothing is released)"
    with closing(sqlite3.connect(bundle / ACCOUNTS_FILE)) as accounts:
        query = "SELECT account_id FROM account_features ORDER BY account_id LIMIT 1 OFFSET 100"
        (account,) = accounts.execute(query).fetchone()
    home = folder / "home"
    home.mkdir()
    os.environ["LOAN_LAKE_URL"] = settings.lake
    return home, int(account), f"behavioural {bundle.name}"


@contextmanager
def _served(app: str, home: Path, folder: Path) -> Iterator[int]:
    """Serve a WSGI app with the project's gunicorn configuration; its port."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = os.environ | {
        "LOAN_HOME": str(home),
        "LOAN_WEB_RATE_LIMIT": "100000000/minute",
        "LOAN_WEB_API_RATE_LIMIT": "100000000/minute",
        "WEB_HOST": "127.0.0.1",
        "WEB_PORT": str(port),
        "WEB_CONCURRENCY": "1",
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
    }
    configuration = str(ROOT / "webapp/gunicorn.conf.py")
    with (folder / "server.log").open("w") if folder != ROOT else open(os.devnull, "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", configuration, "--chdir", str(folder), app],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(port, process)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=40)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise RuntimeError("the server did not start")


def _ask(connection: http.client.HTTPConnection, body: str) -> bytes:
    connection.request("POST", URL, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    assert response.status == 200, answer
    return answer


def _alternating(body: str, *ports: int) -> list[dict[str, float]]:
    """Latencies by server, in rounds by turns: what else the machine does meets all alike."""
    seconds: list[list[float]] = [[] for _ in ports]
    connections = [http.client.HTTPConnection("127.0.0.1", port) for port in ports]
    for number in range(ROUNDS + 1):
        for connection, found in zip(connections, seconds, strict=True):
            for _ in range(REQUESTS):
                started = time.perf_counter()
                _ask(connection, body)
                if number:  # the first round warms up
                    found.append(time.perf_counter() - started)
    for connection in connections:
        connection.close()
    return [
        {
            "p50_ms": 1000 * statistics.median(found),
            "p99_ms": 1000 * statistics.quantiles(found, n=100)[98],
        }
        for found in seconds
    ]


def _per_second(body: str, port: int) -> float:
    """Answers per second to several connections at once."""
    counts = [0] * CONNECTIONS
    deadline = time.monotonic() + SECONDS_OF_LOAD

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while time.monotonic() < deadline:
            _ask(connection, body)
            counts[number] += 1
        connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS_OF_LOAD


if __name__ == "__main__":
    main()
