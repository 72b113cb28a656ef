"""A forest's reasons in its graph: against Shapley values by all coalitions."""

import numpy as np
import onnx
import onnxruntime
import pytest

from loan_pipeline.contracts.bundle import ONNX_INPUT
from loan_pipeline.export import reasons as onnx_reasons
from loan_pipeline.export.reasons import TooManyLeaves, reasons_of
from loan_pipeline.scoring import reasons
from loan_pipeline_tests.helpers.bundles import tree_graph

FEATURES = 9


def forest_of(graph: bytes) -> onnx.NodeProto:
    nodes = onnx.load_from_string(graph).graph.node
    (forest,) = (node for node in nodes if node.op_type == "TreeEnsembleRegressor")
    return forest


def runs(node: onnx.NodeProto, width: int):
    """The node as a function of rows [n, features]."""
    floats = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [node],
        "one_node",
        [onnx.helper.make_tensor_value_info(node.input[0], floats, ["rows", FEATURES])],
        [onnx.helper.make_tensor_value_info(node.output[0], floats, ["rows", width])],
    )
    opsets = [onnx.helper.make_opsetid("", 15), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    model = onnx.helper.make_model(graph, ir_version=8, opset_imports=opsets)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return lambda rows: session.run(None, {ONNX_INPUT: rows})[0].astype(np.float64)


@pytest.mark.parametrize("depth", [1, 3, 5, 6])
def test_the_reasons_are_the_exact_shapley_values(depth):
    forest = forest_of(tree_graph(FEATURES, trees=12, depth=depth, seed=depth))
    random = np.random.default_rng(depth)
    baseline = random.normal(size=FEATURES).astype(np.float32)
    score = runs(forest, 1)
    told = runs(reasons_of(forest, baseline), FEATURES)
    masks, weights = reasons._exact(FEATURES)
    for row in random.normal(size=(20, FEATURES)).astype(np.float32):
        answers = score(np.where(masks, row, baseline))[:, 0]
        np.testing.assert_allclose(told(row[None, :])[0], weights @ answers, atol=1e-6)


def test_a_feature_that_equals_the_baseline_has_no_part():
    forest = forest_of(tree_graph(FEATURES, trees=12, depth=5, seed=1))
    random = np.random.default_rng(1)
    baseline, row = random.normal(size=(2, FEATURES)).astype(np.float32)
    row[::2] = baseline[::2]
    told = runs(reasons_of(forest, baseline), FEATURES)
    assert not told(row[None, :])[0][::2].any()
    assert not told(baseline[None, :]).any()


def test_the_reasons_of_a_forest_without_cuts_are_zero():
    forest = forest_of(tree_graph(FEATURES, trees=2, depth=0, seed=1))
    baseline, row = np.random.default_rng(1).normal(size=(2, FEATURES)).astype(np.float32)
    assert not runs(reasons_of(forest, baseline), FEATURES)(row[None, :]).any()


def test_a_forest_that_is_too_deep_is_given_up_in_time(monkeypatch):
    forest = forest_of(tree_graph(FEATURES, trees=4, depth=6, seed=3))
    baseline = np.zeros(FEATURES, dtype=np.float32)
    reasons_of(forest, baseline)
    monkeypatch.setattr(onnx_reasons, "_MOST_LEAVES_IN_ALL", 50)
    with pytest.raises(TooManyLeaves):
        reasons_of(forest, baseline)
