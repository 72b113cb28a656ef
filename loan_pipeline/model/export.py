"""From a trained predictor to one ONNX graph: bags, fixed weights and calibration joined.

The graph takes every feature of the set in the contract's order and answers the calibrated
probability of "paid off", needing neither AutoGluon nor a pickle.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from loan_pipeline.contracts.bundle import ONNX_INPUT, ONNX_OUTPUT
from loan_pipeline.contracts.features import feature_set
from loan_pipeline.model import quiet
from loan_pipeline.model.calibration import SCORE_MARGIN, Platt
from loan_pipeline.model.errors import NotExportable
from loan_pipeline.model.onnx_families import OPSETS, FittedGraph, convert
from loan_pipeline.model.predictor import TrainedPredictor
from loan_pipeline.model.recipes import recipe, require_exportable

_IR_VERSION = 8


def export_onnx(trained: TrainedPredictor) -> onnx.ModelProto:
    """The predictor as one graph: input `features` float32 [rows, features], nulls as NaN; output
    `probability_paid_off` float32 [rows].

    Raises:
        NotExportable: the recipe holds a model that has no ONNX form.
    """  # noqa: D205  the shapes belong together
    require_exportable(recipe(trained.facts.recipe))
    names = [feature.name for feature in feature_set(trained.facts.feature_set)]
    graph = _Graph(names)
    with quiet.libraries():
        parts = [
            graph.scaled(graph.mean([graph.add(fitted) for fitted in folds]), weight)
            for weight, folds in _weighted_models(trained)
        ]
    graph.calibrate(graph.total(parts), trained.calibration)
    return graph.finish()


def _weighted_models(trained: TrainedPredictor) -> Iterator[tuple[float, list[FittedGraph]]]:
    """Every member's weight with the graphs of its folds. AutoGluon has no public way to these."""
    trainer = trained.predictor._trainer
    ensemble = trainer.load_model(trained.predictor.model_best)
    weights = _ensemble_weights(ensemble)
    for name, weight in weights.items():
        member: Any = trainer.load_model(name)
        children = [member.load_child(child) for child in member.models]
        if not children:
            raise NotExportable(f"model {name} kept no trained folds: train it again")
        yield weight, [convert(child) for child in children]


def _ensemble_weights(ensemble: Any) -> dict[str, float]:
    if hasattr(ensemble, "_get_model_weights"):
        return {name: float(weight) for name, weight in ensemble._get_model_weights().items()}
    return {ensemble.name: 1.0}


class _Graph:
    """Collects nodes under prefixed names; every intermediate result has the shape [rows, 1]."""

    def __init__(self, features: Sequence[str]) -> None:
        self.features = list(features)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, fitted: FittedGraph) -> str:
        """Add one converted model; its probability of "paid off"."""
        prefix = f"model{len(self.constants)}_"
        positions = [self.features.index(name) for name in fitted.columns]
        inputs = ONNX_INPUT
        if positions != list(range(len(self.features))):
            indices = self.constant(np.array(positions, dtype=np.int64))
            inputs = self.node("Gather", [ONNX_INPUT, indices], axis=1)
        if fitted.null_as is not None:
            null = self.node("IsNaN", [inputs])
            inputs = self.node("Where", [null, self.number(fitted.null_as), inputs])
        if fitted.zero_is_null:
            zero = self.node("Equal", [inputs, self.number(0.0)])
            inputs = self.node("Where", [zero, self.number(np.nan), inputs])
        probabilities = self._embed(fitted, prefix, inputs)
        paid_off = self.constant(np.array([-1], dtype=np.int64))
        return self.node("Gather", [probabilities, paid_off], axis=1)

    def mean(self, results: list[str]) -> str:
        return self.scaled(self.total(results), 1 / len(results))

    def total(self, results: list[str]) -> str:
        return results[0] if len(results) == 1 else self.node("Sum", results)

    def scaled(self, result: str, factor: float) -> str:
        return result if factor == 1 else self.node("Mul", [result, self.number(factor)])

    def calibrate(self, score: str, platt: Platt) -> None:
        if platt != Platt():
            low, high = self.number(SCORE_MARGIN), self.number(1 - SCORE_MARGIN)
            score = self.node("Clip", [score, low, high])
            complement = self.node("Sub", [self.number(1.0), score])
            odds = self.node("Div", [score, complement])
            logit = self.node("Mul", [self.node("Log", [odds]), self.number(platt.slope)])
            score = self.node("Sigmoid", [self.node("Add", [logit, self.number(platt.intercept)])])
        flat = self.constant(np.array([-1], dtype=np.int64))
        self.nodes.append(helper.make_node("Reshape", [score, flat], [ONNX_OUTPUT]))

    def finish(self) -> onnx.ModelProto:
        rows = "rows"
        graph = helper.make_graph(
            self.nodes,
            "loan_model",
            [
                helper.make_tensor_value_info(
                    ONNX_INPUT, TensorProto.FLOAT, [rows, len(self.features)]
                )
            ],
            [helper.make_tensor_value_info(ONNX_OUTPUT, TensorProto.FLOAT, [rows])],
            self.constants,
        )
        model = helper.make_model(
            graph,
            producer_name="loan_pipeline",
            ir_version=_IR_VERSION,
            opset_imports=[helper.make_opsetid(*opset) for opset in OPSETS.items()],
        )
        onnx.checker.check_model(model)
        return model

    def node(self, operation: str, inputs: list[str], **attributes: Any) -> str:
        output = f"{operation.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [output], output, **attributes))
        return output

    def number(self, value: float) -> str:
        return self.constant(np.array(value, dtype=np.float32))

    def constant(self, values: np.ndarray[Any, Any]) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def _embed(self, fitted: FittedGraph, prefix: str, inputs: str) -> str:
        """Copy a graph's nodes and constants under `prefix`, reading from `inputs`."""
        (source,) = fitted.model.graph.input
        prefixed = onnx.compose.add_prefix(fitted.model, prefix).graph
        for node in prefixed.node:
            for position, name in enumerate(node.input):
                if name == prefix + source.name:
                    node.input[position] = inputs
        needed = _upstream(prefixed.node, prefix + fitted.probabilities)
        self.nodes.extend(needed)
        used = {name for node in needed for name in node.input}
        self.constants.extend(tensor for tensor in prefixed.initializer if tensor.name in used)
        return prefix + fitted.probabilities


def _upstream(nodes: Sequence[onnx.NodeProto], result: str) -> list[onnx.NodeProto]:
    """The nodes that `result` depends on, in order: converters also answer a label, left out."""
    wanted = {result}
    kept: list[onnx.NodeProto] = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]
