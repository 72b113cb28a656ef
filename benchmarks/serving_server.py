"""The servers that `serving` compares: this app, a bare Flask route, and AutoGluon in the app."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

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


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    port: int
    pid: int
    seconds_to_ready: float

    def megabytes(self) -> float:
        """What the server and its processes hold."""
        process = psutil.Process(self.pid)
        family = [process, *process.children(recursive=True)]
        return sum(each.memory_info().rss for each in family) / 1e6


@contextmanager
def served(
    command: list[str], home: Path, log: Path, environment: Mapping[str, str]
) -> Iterator[int]:
    """Run a server, with more in its environment, while the block runs; its port."""
    with running(command, home, log, environment=environment) as server:
        yield server.port


@contextmanager
def running(
    command: list[str],
    home: Path,
    log: Path,
    ready: str = "/healthz",
    environment: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """Run a server, which takes its port from WEB_PORT, while the block runs.

    Args:
        command: that starts it.
        home: its LOAN_HOME.
        log: where its output goes.
        ready: what it answers with 200 once it is ready.
        environment: what it has beside this process's own.
    """
    port = free_port()
    whole = os.environ | (environment or {})
    whole |= {
        "LOAN_HOME": str(home),
        "LOAN_WEB_DRAIN_SECONDS": "0",
        "WEB_HOST": "127.0.0.1",
        "WEB_PORT": str(port),
        "PYTHONPATH": str(ROOT),
    }
    started = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(
            [part.replace("$WEB_PORT", str(port)) for part in command],
            env=whole,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            if not _is_ready(port, process, ready):
                raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()[-3000:]}")
            yield Running(port, process.pid, time.monotonic() - started)
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server and the processes that it started and may leave behind."""
    if process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.terminate()
    process.wait(timeout=40)


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_ready(port: int, process: subprocess.Popen[bytes], ready: str) -> bool:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", ready)
            if connection.getresponse().status == 200:
                return True
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    return False
