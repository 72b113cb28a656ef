"""Small released bundles for tests: a logistic model or a small ensemble of trees, by hand."""

import hashlib
import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from loan_pipeline.contracts.bundle import (
    ACCOUNTS_FILE,
    MANIFEST_FILE,
    METRICS_FILE,
    ONNX,
    ONNX_INPUT,
    ONNX_OUTPUT,
    BundleFeature,
    BundleFile,
    BundleManifest,
    Metric,
    Training,
    model_file,
)
from loan_pipeline.contracts.features import FeatureSet, contract_version, feature_set
from loan_pipeline.contracts.known_ground import KnownRange
from loan_pipeline.contracts.verdict import CandidateVerdict, Check

MODEL_FILE = model_file(ONNX)
ACCOUNTS = (1, 2, 1787)
PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><path d="M0 9L9 0"/>'
    "<text>million CZK</text></svg>"
)


def typical_values(name: FeatureSet, excluded: Collection[str] = ()) -> list[float | None]:
    """A baseline: the middle of each feature's codes, a modest number of its unit."""
    modest = {"CZK": 20_000.0, "days": 500.0, "months": 36.0, "years": 40.0, "count": 20.0}
    values: list[float | None] = []
    for feature in feature_set(name, excluded):
        wanted = 0.0 if feature.codes else modest.get(feature.unit, 0.5)
        values.append(min(max(wanted, feature.minimum), feature.maximum))
    return values


def application_fields(**changes: object) -> dict[str, Any]:
    """A good application, by the names of the contract."""
    fields: dict[str, Any] = {
        "amount": 96_000,
        "duration": 24,
        "payments": 4_000,
        "account_age_days": 820,
        "statement_frequency": "POPLATEK MESICNE",
        "order_amount_mean_czk": 2_300.5,
        "transaction_amount_mean_czk": 5_300,
        "balance_mean_czk": 31_000,
        "transaction_count": 120,
        "card_type": "classic",
        "district_salary_mean_czk": 9_000,
        "gender": "F",
        "age_years": 41,
    }
    return fields | changes


def logistic_graph(weights: np.ndarray, bias: float) -> bytes:
    """sigmoid(x . weights + bias), nulls as 0."""
    nodes = [
        helper.make_node("IsNaN", [ONNX_INPUT], ["missing"]),
        helper.make_node("Where", ["missing", "zero", ONNX_INPUT], ["known"]),
        helper.make_node("MatMul", ["known", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["score"]),
        helper.make_node("Sigmoid", ["score"], [ONNX_OUTPUT]),
    ]
    constants = {
        "zero": np.float32(0),
        "weights": weights.astype(np.float32),
        "bias": np.float32(bias),
    }
    return _model(nodes, constants, len(weights))


def tree_graph(features: int, trees: int = 8, depth: int = 4, seed: int = 0) -> bytes:
    """The mean of random complete trees over standardised-looking splits; leaves in [0, 1]."""
    random = np.random.default_rng(seed)
    attributes: dict[str, list[Any]] = {
        name: []
        for name in (
            *("nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_values"),
            *("nodes_modes", "nodes_truenodeids", "nodes_falsenodeids"),
            *("nodes_missing_value_tracks_true", "target_treeids", "target_nodeids"),
            *("target_ids", "target_weights"),
        )
    }
    inner = 2**depth - 1
    for tree in range(trees):
        for node in range(2 * inner + 1):
            leaf = node >= inner
            row = {
                "nodes_treeids": tree,
                "nodes_nodeids": node,
                "nodes_featureids": 0 if leaf else int(random.integers(features)),
                "nodes_values": 0.0 if leaf else float(random.normal(0, 0.7)),
                "nodes_modes": "LEAF" if leaf else "BRANCH_LEQ",
                "nodes_truenodeids": 0 if leaf else 2 * node + 1,
                "nodes_falsenodeids": 0 if leaf else 2 * node + 2,
                "nodes_missing_value_tracks_true": int(random.integers(2)),
            }
            for name, value in row.items():
                attributes[name].append(value)
            if leaf:
                attributes["target_treeids"].append(tree)
                attributes["target_nodeids"].append(node)
                attributes["target_ids"].append(0)
                attributes["target_weights"].append(float(random.uniform()) / trees)
    node = helper.make_node(
        "TreeEnsembleRegressor",
        [ONNX_INPUT],
        ["column"],
        domain="ai.onnx.ml",
        n_targets=1,
        **attributes,
    )
    flat = helper.make_node("Reshape", ["column", "flat"], [ONNX_OUTPUT])
    return _model([node, flat], {"flat": np.array([-1], dtype=np.int64)}, features)


def _model(nodes: list[onnx.NodeProto], constants: Mapping[str, Any], features: int) -> bytes:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(ONNX_INPUT, TensorProto.FLOAT, [None, features])],
        [helper.make_tensor_value_info(ONNX_OUTPUT, TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@cache
def graph_for(
    name: FeatureSet,
    kind: Literal["logistic", "trees"],
    seed: int = 0,
    excluded: tuple[str, ...] = (),
) -> bytes:
    """A graph over the set's own scales: inputs are divided by their typical size."""
    typical = np.array([abs(value or 0) + 1 for value in typical_values(name, excluded)])
    if kind == "logistic":
        weights = np.random.default_rng(seed).normal(0, 0.5, len(typical)) / typical
        return logistic_graph(weights, 1.0)
    model = onnx.load_from_string(tree_graph(len(typical), seed=seed))
    (trees,) = [node for node in model.graph.node if node.op_type == "TreeEnsembleRegressor"]
    attributes = {attribute.name: attribute for attribute in trees.attribute}
    scaled = [
        (value + 1.0) * typical[feature]
        for value, feature in zip(
            attributes["nodes_values"].floats, attributes["nodes_featureids"].ints, strict=True
        )
    ]
    del attributes["nodes_values"].floats[:]
    attributes["nodes_values"].floats.extend(scaled)
    return bytes(model.SerializeToString())


def write_bundle(
    folder: Path,
    name: FeatureSet = "application",
    *,
    version: str = "20261122T120000Z-00000001",
    kind: Literal["logistic", "trees"] = "trees",
    model: bytes | None = None,
    model_kind: str = ONNX,
    typical: Sequence[float | None] | None = None,
    threshold: float = 0.5,
    seed: int = 0,
    excluded: Collection[str] = (),
    known_ranges: Sequence[KnownRange] = (),
    report: Mapping[str, Any] | None = None,
) -> BundleManifest:
    """Write a whole bundle into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / model_file(model_kind)).write_bytes(
        model or graph_for(name, kind, seed, tuple(excluded))
    )
    (folder / METRICS_FILE).write_text(json.dumps(report or {"rows": 328}))
    (folder / "calibration.svg").write_text(PICTURE)
    if name == "behavioural":
        _write_accounts(folder / ACCOUNTS_FILE)
    files = {
        path.name: BundleFile(
            bytes=path.stat().st_size, sha256=hashlib.sha256(path.read_bytes()).hexdigest()
        )
        for path in sorted(folder.iterdir())
        if path.name != MANIFEST_FILE
    }
    manifest = BundleManifest(
        feature_set=name,
        version=version,
        kind=model_kind,
        created_at=datetime(2026, 11, 22, 12, tzinfo=UTC),
        contract_version=contract_version(name, excluded),
        features=tuple(
            BundleFeature(
                name=feature.name,
                baseline=value,
                quantiles=(0.0, *[value or 0.0] * 10),
                null_share=0,
            )
            for feature, value in zip(
                feature_set(name, excluded),
                typical or typical_values(name, excluded),
                strict=True,
            )
        ),
        known_ranges=tuple(known_ranges),
        as_of=date(1999, 1, 1),
        threshold=threshold,
        training=Training(
            snapshot_id="s1",
            predictor_id=f"p-{version}",
            metrics_id="m1",
            loan_features_id="l1",
            run_id="r1",
            recipe="default",
            target="observed",
            n_train=328,
            bad_train=46,
            first_loan_date=date(1993, 7, 5),
            last_loan_date=date(1998, 12, 8),
            seconds_train=12.5,
        ),
        metrics={
            "cross_validation": {
                "roc_auc": Metric(value=0.94, low=0.9, high=0.97),
                "average_precision": Metric(value=0.85, low=0.74, high=0.92),
            },
            "out_of_time": {"roc_auc": Metric(value=0.91, low=0.8, high=0.98)},
        },
        software={"autogluon": "1.6.3"},
        code_revision="abc123",
        files=files,
    )
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json())
    return manifest


def _write_accounts(path: Path) -> None:
    features = [feature for feature in feature_set("behavioural") if feature.origin == "account"]
    typical = dict(
        zip(
            [feature.name for feature in feature_set("behavioural")],
            typical_values("behavioural"),
            strict=True,
        )
    )
    connection = sqlite3.connect(path)
    with connection:
        columns = ", ".join(f'"{feature.name}" REAL' for feature in features)
        connection.execute(
            f"CREATE TABLE account_features (account_id INTEGER PRIMARY KEY, {columns})"
        )
        for number, account in enumerate(ACCOUNTS):
            values = [
                None if number == 1 and feature.null_means else (typical[feature.name] or 0) * scale
                for feature in features
                for scale in [1.0 if feature.codes else 0.6 + 0.5 * number]
            ]
            marks = ", ".join("?" * (len(values) + 1))
            connection.execute(f"INSERT INTO account_features VALUES ({marks})", [account, *values])
    connection.close()


def passed_verdict(
    manifest: BundleManifest, champion: str | None = None, **changes: Any
) -> CandidateVerdict:
    """A verdict that passed the candidate of a bundle, compared with `champion`."""
    training = manifest.training
    fields = {
        "checks": (Check(name="roc_auc", passed=True, says="good enough"),),
        "feature_set": manifest.feature_set,
        "predictor_id": training.predictor_id,
        "holdout_id": "h1",
        "metrics_id": training.metrics_id,
        "snapshot_id": training.snapshot_id,
        "loan_features_id": training.loan_features_id,
        "champion": champion,
        "minimum_roc_auc": 0.6,
    }
    return CandidateVerdict.model_validate(fields | changes)


def release_bundle(lake: Path, name: FeatureSet, **options: Any) -> BundleManifest:
    """Write a bundle into a lake's folder and point `latest.json` at it."""
    version = options.setdefault("version", "20261122T120000Z-00000001")
    manifest = write_bundle(lake / "releases" / name / version, name, **options)
    pointer = lake / "releases" / name / "latest.json"
    arriving = pointer.with_suffix(".new")
    arriving.write_text(json.dumps({"version": manifest.version}))
    arriving.replace(pointer)
    return manifest
