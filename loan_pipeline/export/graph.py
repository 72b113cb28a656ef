"""An ONNX graph of a predictor in the making: models, their average, calibration, answers."""

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from loan_pipeline.contracts.bundle import (
    ONNX_EXPLAINED,
    ONNX_INPUT,
    ONNX_OUTPUT,
    ONNX_REASONS,
    ONNX_SLOPE,
)
from loan_pipeline.export.converters import OPSETS, FittedGraph
from loan_pipeline.export.forests import Forest
from loan_pipeline.training.calibration import SCORE_MARGIN, Platt

_IR_VERSION = 8


class Graph:
    """Collects nodes under names of their own; scores and probabilities have the shape [rows, 1].

    Args:
        features: the names of the graph's inputs, in order.
    """

    def __init__(self, features: Sequence[str]) -> None:
        self.features = list(features)
        self._numbers = count()
        self._notes: dict[str, str] = {}
        self._known: dict[tuple[str, float], str] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs = [self._described(ONNX_INPUT, [len(self.features)])]
        self._outputs: list[onnx.ValueInfoProto] = []

    def average(self, members: Sequence[tuple[float, FittedGraph]]) -> str:
        """Add the members, each with its weight; the weighted mean of their scores."""
        return self._total([self._scaled(self._add(fitted), share) for share, fitted in members])

    def forest(self, forest: Forest) -> str:
        """Add a forest that takes all features; its answers [rows, targets]."""
        output = self._name("forest")
        self._place(forest.node, self._with_nulls_as(ONNX_INPUT, forest.null_as), output)
        return output

    def answer_probability(self, score: str, platt: Platt) -> None:
        """Answer the calibrated probability of a score."""
        flat = self._constant(np.array([-1], dtype=np.int64))
        probability = self._calibrated(score, platt)
        self._nodes.append(helper.make_node("Reshape", [probability, flat], [ONNX_OUTPUT]))
        self._outputs.append(self._described(ONNX_OUTPUT, []))

    def answer_reasons(self, reasons: Forest, slope: float) -> None:
        """Answer the reasons for the scores of the first rows, as many as are asked for.

        Args:
            reasons: the forest that computes them.
            slope: of the calibration near the reference loan, kept in the graph's metadata.
        """
        none = np.array([0], dtype=np.int64)
        # An input with a constant of its name may be left out, and is that constant then.
        self._constants.append(numpy_helper.from_array(none, ONNX_EXPLAINED))
        self._inputs.append(helper.make_tensor_value_info(ONNX_EXPLAINED, TensorProto.INT64, [1]))
        # A branch would hold the forest in memory several times over; no rows cost nothing either.
        filled = self._with_nulls_as(ONNX_INPUT, reasons.null_as)
        rows = self._node("Slice", [filled, self._constant(none), ONNX_EXPLAINED])
        self._place(reasons.node, rows, ONNX_REASONS)
        self._outputs.append(self._described(ONNX_REASONS, [len(self.features)], rows="explained"))
        self._notes[ONNX_SLOPE] = repr(slope)

    def _add(self, fitted: FittedGraph) -> str:
        """Add one converted model; its probability of "paid off"."""
        prefix = self._name("model") + "_"
        probabilities = self._embed(fitted, prefix, self._columns(fitted))
        paid_off = self._constant(np.array([-1], dtype=np.int64))
        return self._node("Gather", [probabilities, paid_off], axis=1)

    def _columns(self, fitted: FittedGraph) -> str:
        """The columns that a model takes, with what it takes for nulls."""
        positions = [self.features.index(name) for name in fitted.columns]
        inputs = ONNX_INPUT
        if positions != list(range(len(self.features))):
            indices = self._constant(np.array(positions, dtype=np.int64))
            inputs = self._node("Gather", [ONNX_INPUT, indices], axis=1)
        if fitted.null_as is not None:
            inputs = self._with_nulls_as(inputs, fitted.null_as)
        if fitted.zero_is_null:
            zero = self._node("Equal", [inputs, self._number(0.0)])
            inputs = self._node("Where", [zero, self._number(np.nan), inputs])
        return inputs

    def _with_nulls_as(self, inputs: str, number: float) -> str:
        if (inputs, number) not in self._known:
            null = self._node("IsNaN", [inputs])
            known = self._node("Where", [null, self._number(number), inputs])
            self._known[inputs, number] = known
        return self._known[inputs, number]

    def _total(self, results: list[str]) -> str:
        return results[0] if len(results) == 1 else self._node("Sum", results)

    def _scaled(self, result: str, factor: float) -> str:
        return result if factor == 1 else self._node("Mul", [result, self._number(factor)])

    def _calibrated(self, score: str, platt: Platt) -> str:
        """The probability for a score."""
        if platt == Platt():
            return score
        margins = [self._number(SCORE_MARGIN), self._number(1 - SCORE_MARGIN)]
        clipped = self._node("Clip", [score, *margins])
        odds = self._node("Div", [clipped, self._node("Sub", [self._number(1.0), clipped])])
        logit = self._node("Log", [odds])
        line = self._node("Mul", [logit, self._number(platt.slope)])
        return self._node("Sigmoid", [self._node("Add", [line, self._number(platt.intercept)])])

    def finish(self) -> onnx.ModelProto:
        """The graph, checked."""
        graph = helper.make_graph(
            self._nodes, "loan_model", self._inputs, self._outputs, self._constants
        )
        model = helper.make_model(
            graph,
            producer_name="loan_pipeline",
            ir_version=_IR_VERSION,
            opset_imports=[helper.make_opsetid(*opset) for opset in OPSETS.items()],
        )
        helper.set_model_props(model, self._notes)
        onnx.checker.check_model(model)
        return model

    def _place(self, node: onnx.NodeProto, inputs: str, output: str) -> None:
        placed = onnx.NodeProto()
        placed.CopyFrom(node)
        placed.input[:], placed.output[:] = [inputs], [output]
        self._nodes.append(placed)

    def _described(self, name: str, sizes: list[int], rows: str = "rows") -> onnx.ValueInfoProto:
        shape: list[str | int | None] = [rows, *sizes]
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    def _node(self, operation: str, inputs: list[str], **attributes: Any) -> str:
        output = self._name(operation.lower())
        self._nodes.append(helper.make_node(operation, inputs, [output], output, **attributes))
        return output

    def _name(self, kind: str) -> str:
        return f"{kind}_{next(self._numbers)}"

    def _number(self, value: float) -> str:
        return self._constant(np.array(value, dtype=np.float32))

    def _constant(self, values: np.ndarray[Any, Any]) -> str:
        name = self._name("constant")
        self._constants.append(numpy_helper.from_array(values, name))
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
        self._nodes.extend(needed)
        used = {name for node in needed for name in node.input}
        self._constants.extend(tensor for tensor in prefixed.initializer if tensor.name in used)
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
