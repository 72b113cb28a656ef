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

BARE = """
import json
import os
from flask import Flask, request
from waitress import serve
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
serve(app, host="127.0.0.1", port=os.environ["WEB_PORT"], threads=4)
"""

# The published way: the predictor itself in the app, kept in memory, and a table of one row for
# each request. What it would look up is given; it has no reasons and records nothing.
AUTOGLUON = """
import json
import os
from pathlib import Path
import pandas
from flask import Flask, request
from waitress import serve
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
serve(app, host="127.0.0.1", port=os.environ["WEB_PORT"], threads=4)
"""


OURS = [str(Path(sys.executable).with_name("loan-pipeline")), "serve"]


def script(path: Path, text: str) -> list[str]:
    """The command that runs a server's text, written to `path`."""
    path.write_text(text)
    return [sys.executable, str(path)]


@contextmanager
def served(command: list[str], home: Path, log: Path) -> Iterator[int]:
    """Run a server while the block runs; its port."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = os.environ | {
        "LOAN_HOME": str(home),
        "LOAN_WEB_DRAIN_SECONDS": "0",
        "WEB_HOST": "127.0.0.1",
        "WEB_PORT": str(port),
        "PYTHONPATH": str(ROOT),
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT
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
