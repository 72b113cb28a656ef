"""The forest of a released graph as arrays, for a peer that explains the same forest."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from loan_pipeline.contracts.bundle import ONNX_REASONS


@dataclass(frozen=True)
class ForestArrays:
    """Trees as lists of nodes, in the form of scikit-learn's `tree_`.

    Attributes:
        trees: of each tree `children_left`, `children_right`, `features`, `thresholds`, `values`;
            a row goes left where its feature is at most the threshold, and leaves have no children.
        null_as: what the forest takes for nulls.
    """

    trees: list[dict[str, list[Any]]]
    null_as: float

    def filled(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows with nulls as the forest takes them."""
        return np.where(np.isnan(rows), np.float32(self.null_as), rows)


def forest_arrays(graph: bytes) -> ForestArrays:
    """The forest behind a graph's score.

    Raises:
        ValueError: the graph's score is no forest's.
    """
    model = onnx.load_from_string(graph)
    forests = [node for node in model.graph.node if node.op_type == "TreeEnsembleRegressor"]
    scores = [node for node in forests if ONNX_REASONS not in node.output]
    if len(scores) != 1:
        raise ValueError("the released graph is no forest: release the recipe `default`")
    own = {a.name: helper.get_attribute_value(a) for a in scores[0].attribute}
    leaves = zip(own["target_treeids"], own["target_nodeids"], own["target_weights"], strict=True)
    values = {(tree, node): weight for tree, node, weight in leaves}
    trees: dict[int, dict[str, list[Any]]] = {}
    columns = ("treeids", "nodeids", "modes", "truenodeids", "falsenodeids", "featureids", "values")
    for tree, node, mode, yes, no, feature, cut in zip(
        *(own[f"nodes_{name}"] for name in columns), strict=True
    ):
        if mode not in (b"LEAF", b"BRANCH_LEQ"):
            raise ValueError(f"the released forest asks {mode.decode()}, which has no like there")
        leaf, arrays = mode == b"LEAF", trees.setdefault(tree, {})
        row = {
            "children_left": -1 if leaf else yes,
            "children_right": -1 if leaf else no,
            "features": -2 if leaf else feature,
            "thresholds": -2.0 if leaf else float(cut),
            "values": [float(values.get((tree, node), 0.0))],
        }
        for name, value in row.items():
            arrays.setdefault(name, []).append(value)
    return ForestArrays(list(trees.values()), _null_as(model, scores[0]))


def _null_as(model: onnx.ModelProto, forest: onnx.NodeProto) -> float:
    """The constant that stands for nulls in front of a forest."""
    (source,) = [n for n in model.graph.node if forest.input[0] in n.output] or [None]
    if source is None or source.op_type != "Where":
        return float("nan")
    constants = {c.name: numpy_helper.to_array(c) for c in model.graph.initializer}
    return float(constants[source.input[1]])
