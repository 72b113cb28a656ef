"""Each peer computes what ours computes: else its figures would compare nothing."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import onnx
import pandas as pd
import pytest

from benchmarks import (
    environments,
    features_pandas,
    features_polars,
    features_sql,
    lookup,
    servers,
)
from benchmarks.environments import ENVIRONMENTS, PeerFailed, installed, run_peer
from benchmarks.features import ours, same_values, snapshot_paths
from benchmarks.featuretools_peer import beside_featuretools
from benchmarks.forest import forest_arrays
from benchmarks.reasons import account_rows, values_and_seconds
from loan_pipeline.contracts.features import feature_set
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.export.forests import Forest
from loan_pipeline.export.graph import Graph
from loan_pipeline.export.reasons import reasons_of
from loan_pipeline.scoring.bundle import load_bundle
from loan_pipeline.scoring.model import OnnxModel
from loan_pipeline.sources.sample import SampleSource
from loan_pipeline.sources.sample.snapshot import write_parquet
from loan_pipeline.training.calibration import Platt
from loan_pipeline_tests.helpers.bundles import (
    release_bundle,
    tree_graph,
    typical_values,
    write_bundle,
)

pytestmark = pytest.mark.slow

Snapshot = tuple[Path, SnapshotManifest]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A small sample bank's snapshot."""
    folder = tmp_path_factory.mktemp("lake")
    return folder, write_parquet(SampleSource(0.05, 3), folder)


def needs(environment: str) -> None:
    """Skip where a peer's environment of hundreds of megabytes was not made yet."""
    if not installed(environment):
        pytest.skip(f"the environment {environment} is made by `python -m benchmarks`")


def by_hand(paths: dict[str, list[Path]], as_of: Any) -> pd.DataFrame:
    with duckdb.connect() as connection:
        return features_sql.account_features(connection, paths, as_of).read_pandas()


ENGINES = {
    "SQL by hand": by_hand,
    "Polars": lambda p, a: features_polars.account_features(p, a).collect().to_pandas(),
    "Polars, streaming": lambda p, a: (
        features_polars.account_features(p, a).collect(engine="streaming").to_pandas()
    ),
    "pandas": features_pandas.account_features,
}


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_computes_the_same_features(snapshot: Snapshot, engine: str) -> None:
    folder, manifest = snapshot
    same_values(ours(folder), ENGINES[engine](snapshot_paths(folder, manifest), manifest.as_of))


def test_featuretools_computes_the_same_of_what_it_can_express(snapshot: Snapshot) -> None:
    needs("featuretools")
    comparisons = beside_featuretools(*snapshot)  # raises where a value differs
    assert len(comparisons) == 2
    assert all(comparison.peers for comparison in comparisons)


def test_feast_looks_the_same_values_up(tmp_path: Path) -> None:
    needs("feast")
    write_bundle(tmp_path / "bundle", "behavioural")
    figures = lookup.compare(load_bundle(tmp_path / "bundle"))  # raises where a value differs
    assert figures["comparisons"][0]["peers"]


def test_shap_gives_the_same_reasons(tmp_path: Path) -> None:
    needs("fastapi")
    write_bundle(tmp_path / "bundle", "behavioural", model=_forest_graph())
    bundle = load_bundle(tmp_path / "bundle")
    rows = account_rows(bundle, 3)
    model = OnnxModel(bundle.model, rows.shape[1], "the bundle")
    values, theirs, _ = values_and_seconds(model, bundle, forest_arrays(bundle.model), rows)
    assert np.abs(values).max() > 0.01
    np.testing.assert_allclose(theirs, values, atol=1e-6)


def test_other_servers_answer_with_the_same_probability(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = {servers.OURS, servers.FASTAPI, servers.MLFLOW}  # AutoGluon needs a training
    for name in served:
        needs(servers.ENVIRONMENT[name])
    monkeypatch.setattr(servers, "STARTS", 1)
    monkeypatch.setattr(servers, "ROUNDS", 1)
    monkeypatch.setattr(servers, "REQUESTS", 5)
    monkeypatch.setattr(servers, "ROUNDS_OF_LOAD", 1)
    monkeypatch.setattr(servers, "SECONDS_OF_LOAD", 0.3)
    monkeypatch.setattr(servers, "CONNECTIONS", (1, 4))
    lake = tmp_path / "lake"
    release_bundle(lake, "application")
    version = release_bundle(lake, "behavioural", model=_forest_graph()).version
    bundle = load_bundle(lake / "releases" / "behavioural" / version)
    figures = servers.compare(tmp_path, bundle)  # raises where an answer differs
    assert {c["unit"] for c in figures["comparisons"]} == {"ms", "requests/s", "MB", "s"}
    assert all(c["ours"] > 0 and len(c["peers"]) == 2 for c in figures["comparisons"])
    assert set(figures["per_second"]) == served | {servers.TWO_PROCESSES}


def test_a_script_that_fails_is_reported_with_what_it_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "python_of", lambda _name: Path("/bin/false"))
    with pytest.raises(PeerFailed, match=r"/bin/false .* failed"):
        run_peer("feast", "feast_lookup", source=str(tmp_path))


def test_environments_pin_their_packages() -> None:
    for name, packages in ENVIRONMENTS.items():
        if "requirements.lock" not in packages:  # which pins what they name
            assert all("==" in package or "<" in package for package in packages), name


def test_answers_go_through_a_file_of_arguments(tmp_path: Path) -> None:
    path = tmp_path / "arguments.json"
    path.write_text(json.dumps({"first": [1, 2], "second": "x"}))
    script = "from answer import answer; answer(lambda first, second: {second: sum(first)})"
    printed = subprocess.run(
        ["python3", "-c", script, str(path)], cwd=environments.PEERS, check=True,
        capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert json.loads(printed) == {"x": 3}


def _forest_graph() -> bytes:
    """A graph as it is released: random trees, with their reasons."""
    names = [feature.name for feature in feature_set("behavioural")]
    nodes = onnx.load_from_string(tree_graph(len(names), trees=12)).graph.node
    (node,) = (node for node in nodes if node.op_type == "TreeEnsembleRegressor")
    forest, graph = Forest(node, null_as=-1.0), Graph(names)
    baseline = np.array(typical_values("behavioural"), dtype=np.float64)
    graph.answer_probability(graph.forest(forest), Platt())
    graph.answer_reasons(replace(forest, node=reasons_of(node, baseline)), slope=1.0)
    return graph.finish().SerializeToString()
