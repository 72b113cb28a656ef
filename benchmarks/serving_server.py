"""The servers that `serving` compares: this app, a bare Flask route, and AutoGluon in the app."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = "webapp:create_app()"

BARE = """
import json
from flask import Flask, request
with open({answer!r}) as file:
    ANSWER = json.load(file)
app = Flask(__name__)
@app.post("/api/v1/predictions")
def predict():
    request.get_json()
    return ANSWER
@app.get("/healthz")
def healthz():
    return "alive"
"""

# The published way: the predictor itself in the app, kept in memory, and a table of one row for
# each request. What it would look up is there already; it gives no reasons and records nothing.
AUTOGLUON = """
import json
from pathlib import Path
import pandas
from flask import Flask, request
from loan_pipeline.training.predictor import load_predictor
predictor = load_predictor(Path({predictor!r})).predictor
predictor.persist()
with open({row!r}) as file:
    (ROW,) = json.load(file)
app = Flask(__name__)
@app.post("/api/v1/predictions")
def predict():
    table = pandas.DataFrame([ROW | request.get_json()])[list(ROW)].astype("float32")
    return {{"probability_paid_off": float(predictor.predict_proba(table)[1].iloc[0])}}
@app.get("/healthz")
def healthz():
    return "alive"
"""


@contextmanager
def served(app: str, home: Path, folder: Path, logs: Path) -> Iterator[int]:
    """Serve a WSGI app from `folder` with the project's gunicorn configuration; its port."""
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
    with (logs / f"{app.split(':')[0]}.log").open("w") as log:
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
