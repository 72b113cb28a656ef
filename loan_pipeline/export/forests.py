"""Several forests joined to one that takes all features: one node of the graph in place of many."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from onnx import NodeProto, helper

from loan_pipeline.export.converters import FittedGraph


@dataclass(frozen=True)
class Forest:
    """A sum over the leaves of trees.

    Attributes:
        node: a TreeEnsembleRegressor whose columns are all features.
        null_as: what it takes for nulls.
    """

    node: NodeProto
    null_as: float


def joined(members: Sequence[tuple[float, FittedGraph]], features: Sequence[str]) -> Forest | None:
    """The weighted mean of forests as one forest.

    Args:
        members: each with its weight.
        features: names of the columns that the forest is to take.

    Returns:
        None where a member is no forest, or two take different numbers for nulls.
    """
    nulls_as = {fitted.null_as for _, fitted in members}
    if len(nulls_as) != 1 or not all(fitted.is_forest for _, fitted in members):
        return None
    (null_as,) = nulls_as
    joint: dict[str, Any] = {"n_targets": 1}
    trees = 0
    for share, fitted in members:
        (node,) = fitted.model.graph.node
        own = {a.name: helper.get_attribute_value(a) for a in node.attribute if _is_list(a.name)}
        places = [features.index(column) for column in fitted.columns]
        own["nodes_featureids"] = [places[column] for column in own["nodes_featureids"]]
        own["target_weights"] = [share * weight for weight in own["target_weights"]]
        last = max(own["nodes_treeids"])
        for name in ("nodes_treeids", "target_treeids"):
            own[name] = [trees + tree for tree in own[name]]
        trees += last + 1
        for name, values in own.items():
            joint.setdefault(name, []).extend(values)
    node = helper.make_node(
        "TreeEnsembleRegressor", ["features"], ["score"], domain="ai.onnx.ml", **joint
    )
    return Forest(node, float(null_as or 0.0))


def _is_list(attribute: str) -> bool:
    return attribute.startswith(("nodes_", "target_"))
