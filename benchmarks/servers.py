"""The web app beside other ways to serve the same model: one row with reasons, a batch, footprint.

FastAPI answers scores by onnxruntime and reasons by SHAP, of the same forest. MLflow's scoring
server serves the released graph as it is, and the predictor behind it by AutoGluon, both without
reasons. None of them looks accounts up or records what it answered; ours does both. All answer with
the same probability, AutoGluon with the one that is not calibrated yet, which is checked.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.comparison import Comparison
from benchmarks.environments import PEERS, megabytes_of, python_of, run_peer
from benchmarks.forest import forest_arrays
from benchmarks.load import Target, latencies, per_second
from benchmarks.reasons import account_rows, accounts
from benchmarks.released import AMOUNT, DURATION, released_bundle, released_home
from benchmarks.serving_server import Running, running
from loan_pipeline.scoring.bundle import Bundle
from loan_pipeline.training.predictor import PREDICTOR_FOLDER, load_predictor

OURS, FASTAPI, MLFLOW = "this app", "FastAPI, onnxruntime, SHAP", "MLflow, ONNX, no reasons"
AUTOGLUON = "MLflow, AutoGluon, no reasons"
TWO_PROCESSES = "this app, two processes"  # as a proxy would spread connections over them
ENVIRONMENT = {
    OURS: "web",
    FASTAPI: "fastapi",
    MLFLOW: "mlflow",
    AUTOGLUON: "mlflow-autogluon",
}
ROWS = 1_000  # of a batch
ROUNDS, REQUESTS = 15, 600  # requests per round and server
AUTOGLUON_REQUESTS = 25  # in as many rounds, so that all meet the same moments
BATCH_ROUNDS, BATCHES = 9, 6
STARTS = 5
CONNECTIONS = (1, 4, 16, 64)
ROUNDS_OF_LOAD, SECONDS_OF_LOAD = 9, 1.0
_SAME = 1e-6
_URL = "/api/v1/predictions"


@dataclass(frozen=True)
class _Tool:
    """How a server is started, and what it is asked; the targets' port is 0 until it runs."""

    command: list[str]
    home: Path
    log: Path
    ready: str
    one: Target
    batch: Target

    @contextmanager
    def started(self) -> Iterator[tuple[Running, "_Tool"]]:
        """Run the server while the block runs; it, and the tool with its port."""
        with running(self.command, self.home, self.log, self.ready) as server:
            one, batch = (replace(target, port=server.port) for target in (self.one, self.batch))
            yield server, replace(self, one=one, batch=batch)


def main() -> dict[str, Any]:
    """Serve the sample bank's release in all ways."""
    home = released_home()
    bundle = released_bundle(home)
    predictor = home / "models/behavioural" / bundle.manifest.training.predictor_id
    return compare(home, bundle, predictor)


def compare(home: Path, bundle: Bundle, predictor: Path | None = None) -> dict[str, Any]:
    """Start all servers, ask them in turn; print and return the figures.

    Args:
        home: a LOAN_HOME whose lake has the bundle as its latest release.
        bundle: a forest with reasons.
        predictor: what the bundle was exported from; None leaves AutoGluon out.
    """
    rows, numbers = account_rows(bundle, ROWS), accounts(bundle, ROWS)
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="bench-servers-") as name:
        folder = Path(name)
        own_home = folder / "home"  # what ours records goes here
        shutil.copytree(home / "lake", own_home / "lake")
        tools = {
            OURS: _ours(own_home, folder, numbers),
            FASTAPI: _fastapi(bundle, folder, rows, numbers),
            MLFLOW: _mlflow(bundle, folder, rows),
        }
        if predictor is not None:
            tools[AUTOGLUON] = _mlflow_autogluon(bundle, predictor, folder, rows)
        ready = _seconds_to_ready(tools)
        started = {name: stack.enter_context(tool.started()) for name, tool in tools.items()}
        again = replace(tools[OURS], log=folder / "second.log")
        _, second = stack.enter_context(again.started())
        servers = {name: tool for name, (_, tool) in started.items()}
        if predictor is not None:
            _assert_same_scores(servers[AUTOGLUON], predictor, _table(bundle, rows))
        _assert_same(servers)
        one = latencies({name: server.one for name, server in servers.items()}, ROUNDS)
        batch = latencies({name: server.batch for name, server in servers.items()}, BATCH_ROUNDS)
        loaded = {name: [server.one] for name, server in servers.items()}
        loaded[TWO_PROCESSES] = [servers[OURS].one, second.one]
        by_count = {c: per_second(loaded, c, ROUNDS_OF_LOAD, SECONDS_OF_LOAD) for c in CONNECTIONS}
        rates = {name: {str(c): found[name] for c, found in by_count.items()} for name in loaded}
        memory = {name: server.megabytes() for name, (server, _) in started.items()}
    sizes = {name: float(megabytes_of(ENVIRONMENT[name])) for name in servers}
    comparisons = [
        *(
            _comparison(f"{work}, {key}", "ms", {n: f[key] for n, f in found.items()})
            for work, found, key in (
                ("a request of one row", one, "p50"),
                ("a request of one row", one, "p95"),
                # Not p50: SQLite's checkpoint falls on every second or third batch.
                (f"a batch of {len(rows):,} rows", batch, "mean"),
            )
        ),
        *(
            _comparison(f"{count} connections at once", "requests/s",
                        {name: rates[name][str(count)] for name in servers}, "higher")
            for count in CONNECTIONS
        ),
        _comparison("environment on the disk", "MB", sizes),
        _comparison("memory after the load", "MB", memory),
        _comparison("from start to ready", "s", ready),
    ]  # fmt: skip
    for comparison in comparisons:
        peers = ", ".join(f"{peer} {value:,.3g}" for peer, value in comparison.peers.items())
        print(f"{comparison.work}: ours {comparison.ours:,.3g} {comparison.unit}, {peers}")
    return {
        "comparisons": [comparison.as_data() for comparison in comparisons],
        "per_second": rates,
        "notes": [
            "FastAPI and MLflow have the rows in memory or in the request, and record nothing.",
            "Ours looks the account up, records the answer and logs it. No batch has reasons.",
            "One process bends where it fills a processor: Python runs one thread at a time.",
            "A second one takes what the client leaves of the other processor of this machine.",
        ],
    }


def _seconds_to_ready(tools: Mapping[str, _Tool]) -> dict[str, float]:
    """From start to ready: the medians of starts by turns."""
    seconds: dict[str, list[float]] = {name: [] for name in tools}
    for _ in range(STARTS):
        for name, tool in tools.items():
            with tool.started() as (server, _):
                seconds[name].append(server.seconds_to_ready)
    return {name: median(each) for name, each in seconds.items()}


def _ours(home: Path, folder: Path, numbers: list[int]) -> _Tool:
    command = "from loan_pipeline.cli import main; main()"
    lines = "\n".join(json.dumps(_asked(number)) for number in numbers)
    return _Tool(
        [str(python_of("web")), "-c", command, "serve"], home, folder / "ours.log", "/readyz",
        Target(0, _URL, json.dumps(_asked(numbers[0])).encode(), REQUESTS),
        Target(0, f"{_URL}/batch", lines.encode(), BATCHES, "application/x-ndjson"),
    )  # fmt: skip


def _fastapi(bundle: Bundle, folder: Path, rows: NDArray[np.float32], numbers: list[int]) -> _Tool:
    forest = forest_arrays(bundle.model)
    arguments = {
        "graph": str(_graph(bundle, folder)),
        "names": [feature.name for feature in bundle.features],
        "rows": {number: _plain(row) for number, row in zip(numbers, rows, strict=True)},
        "null_as": forest.null_as,
        "trees": forest.trees,
        "baseline": forest.filled(bundle.baseline.astype(np.float32)).tolist(),
    }
    path = folder / "fastapi.json"
    path.write_text(json.dumps(arguments))
    command = [str(python_of("fastapi")), str(PEERS / "fastapi_server.py"), str(path)]
    batch = json.dumps(list(map(_asked, numbers))).encode()
    return _Tool(
        command, folder, folder / "fastapi.log", "/healthz",
        Target(0, _URL, json.dumps(_asked(numbers[0])).encode(), REQUESTS),
        Target(0, f"{_URL}/batch", batch, BATCHES),
    )  # fmt: skip


def _mlflow(bundle: Bundle, folder: Path, rows: NDArray[np.float32]) -> _Tool:
    place = str(folder / "mlflow")
    graph = str(_graph(bundle, folder))
    run_peer("mlflow", "mlflow_model", graph=graph, folder=place, features=rows.shape[1])
    one, batch = (
        json.dumps({"inputs": some.tolist()}).encode()  # NaN, as its parser takes it
        for some in (rows[:1], rows)
    )
    return _served_by_mlflow("mlflow", place, folder, one, batch, REQUESTS)


def _mlflow_autogluon(
    bundle: Bundle, predictor: Path, folder: Path, rows: NDArray[np.float32]
) -> _Tool:
    place, own = str(folder / "mlflow-autogluon"), str(predictor / PREDICTOR_FOLDER)
    run_peer("mlflow-autogluon", "mlflow_autogluon_model", predictor=own, folder=place)
    one, batch = (
        json.dumps(
            {
                "dataframe_split": _table(bundle, some).to_dict("split"),
                "params": {"predict_method": "predict_proba"},
            }
        ).encode()
        for some in (rows[:1], rows)
    )
    return _served_by_mlflow("mlflow-autogluon", place, folder, one, batch, AUTOGLUON_REQUESTS)


def _served_by_mlflow(
    environment: str, place: str, folder: Path, one: bytes, batch: bytes, requests: int
) -> _Tool:
    programs = python_of(environment).parent  # it looks for uvicorn on PATH
    path = f"PATH={programs}{os.pathsep}{os.environ['PATH']}"
    serve = ["mlflow", "models", "serve", "-m", place, "--env-manager", "local"]
    url = "/invocations"
    return _Tool(
        ["env", path, *serve, "-p", "$WEB_PORT"], folder, folder / f"{environment}.log", "/ping",
        Target(0, url, one, requests), Target(0, url, batch, BATCHES),
    )  # fmt: skip


def _table(bundle: Bundle, rows: NDArray[np.float32]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[feature.name for feature in bundle.features])


def _assert_same_scores(server: _Tool, predictor: Path, table: pd.DataFrame) -> None:
    expected = load_predictor(predictor).predictor.predict_proba(table, as_multiclass=False)
    found = [row["1"] for row in json.loads(server.batch.answer())["predictions"]]
    np.testing.assert_allclose(found, expected, atol=_SAME)


def _assert_same(servers: dict[str, _Tool]) -> None:
    ours = [json.loads(line) for line in servers[OURS].batch.answer().splitlines()]
    expected = [line["probability_paid_off"] for line in ours]
    fastapi = json.loads(servers[FASTAPI].batch.answer())
    predictions = json.loads(servers[MLFLOW].batch.answer())["predictions"]
    mlflow = np.array(predictions["probability_paid_off"]).reshape(-1)
    for found in (fastapi, mlflow):
        np.testing.assert_allclose(found, expected, atol=_SAME)
    one = json.loads(servers[FASTAPI].one.answer())
    assert len(one["reasons"]) == len(json.loads(servers[OURS].one.answer())["reasons"])


def _comparison(
    work: str, unit: str, values: dict[str, float], better: Any = "lower"
) -> Comparison:
    peers = {name: value for name, value in values.items() if name != OURS}
    return Comparison(work, unit, values[OURS], peers, better)


def _asked(number: int) -> dict[str, float]:
    return {"account_id": number, "amount": AMOUNT, "duration": DURATION}


def _plain(row: NDArray[np.float32]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in row]


def _graph(bundle: Bundle, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(bundle.model)
    return path
