"""From a trained predictor to one ONNX graph: bags, fixed weights and calibration joined.

The graph takes every feature of the set in the contract's order and answers the calibrated
probability of "paid off", needing neither AutoGluon nor a pickle. Where all members are forests it
answers the reasons as well.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from loan_pipeline.contracts.bundle import ONNX_INPUT, ONNX_OUTPUT, ONNX_REASONS
from loan_pipeline.contracts.features import feature_set
from loan_pipeline.model import quiet
from loan_pipeline.model.calibration import SCORE_MARGIN, Platt
from loan_pipeline.model.errors import NotExportable
from loan_pipeline.model.inputs import FloatArray
from loan_pipeline.model.onnx_families import OPSETS, FittedGraph, convert
from loan_pipeline.model.onnx_reasons import TooManyLeaves, reasons_of
from loan_pipeline.model.predictor import TrainedPredictor
from loan_pipeline.model.recipes import recipe, require_exportable

_IR_VERSION = 8
_SMALL = 1e-4  # a difference of scores below which its quotient is one of rounding errors


def export_onnx(trained: TrainedPredictor) -> onnx.ModelProto:
    """The predictor as one graph: input `features` float32 [rows, features], nulls as NaN; output
    `probability_paid_off` float32 [rows], and where all members are forests `contributions`
    float32 [rows, features], by which the features move the probability from the typical loan's.

    Raises:
        NotExportable: the recipe holds a model that has no ONNX form.
    """  # noqa: D205  the shapes belong together
    require_exportable(recipe(trained.facts.recipe))
    graph = _Graph([feature.name for feature in feature_set(trained.facts.feature_set)])
    with quiet.libraries():
        members = list(_weighted_models(trained))
        score = graph.average(members, graph.add)
        probability = graph.calibrated(score, trained.calibration)
        graph.answer(ONNX_OUTPUT, probability, [-1])
        if all(fitted.forest for _, folds in members for fitted in folds):
            with suppress(TooManyLeaves):  # the scorer then estimates them
                typical = np.array(trained.facts.typical, dtype=np.float64)  # None becomes NaN
                parts = graph.average(members, lambda fitted: graph.reasons(fitted, typical))
                moved = graph.stretched(parts, score, probability, trained.calibration)
                graph.answer(ONNX_REASONS, moved, [-1, len(typical)])
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
    """Collects nodes under prefixed names; scores and probabilities have the shape [rows, 1]."""

    def __init__(self, features: Sequence[str]) -> None:
        self.features = list(features)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []

    def average(
        self, members: list[tuple[float, list[FittedGraph]]], part: Callable[[FittedGraph], str]
    ) -> str:
        """The members' weighted average of a result that `part` adds for each fold."""
        return self.total(
            [
                self.scaled(self.scaled(self.total([*map(part, folds)]), 1 / len(folds)), weight)
                for weight, folds in members
            ]
        )

    def add(self, fitted: FittedGraph) -> str:
        """Add one converted model; its probability of "paid off"."""
        prefix = f"model{len(self.constants)}_"
        probabilities = self._embed(fitted, prefix, self._inputs(fitted))
        paid_off = self.constant(np.array([-1], dtype=np.int64))
        return self.node("Gather", [probabilities, paid_off], axis=1)

    def reasons(self, fitted: FittedGraph, typical: FloatArray) -> str:
        """Add the reasons for a forest's score, [rows, features]."""
        (forest,) = fitted.model.graph.node
        positions = [self.features.index(name) for name in fitted.columns]
        baseline = np.nan_to_num(typical[positions], nan=fitted.null_as or 0.0)
        node = reasons_of(forest, baseline, positions, len(self.features))
        node.input[0] = self._inputs(fitted)
        node.output[0] = f"reasons_{len(self.nodes)}"
        self.nodes.append(node)
        return str(node.output[0])

    def _inputs(self, fitted: FittedGraph) -> str:
        """The columns that a model takes, with what it takes for nulls."""
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
        return inputs

    def total(self, results: list[str]) -> str:
        return results[0] if len(results) == 1 else self.node("Sum", results)

    def scaled(self, result: str, factor: float) -> str:
        return result if factor == 1 else self.node("Mul", [result, self.number(factor)])

    def calibrated(self, score: str, platt: Platt) -> str:
        """The probability for a score."""
        if platt == Platt():
            return score
        logit = self.node("Log", [self._odds(score)])
        line = self.node("Mul", [logit, self.number(platt.slope)])
        return self.node("Sigmoid", [self.node("Add", [line, self.number(platt.intercept)])])

    def stretched(self, parts: str, score: str, probability: str, platt: Platt) -> str:
        """The score's reasons as the probability's: all by the same factor, so that they sum up.

        Where the scores are as good as equal, the factor is the slope of the calibration.
        """
        if platt == Platt():
            return parts
        over_features = self.constant(np.array([1], dtype=np.int64))
        moved = self.node("ReduceSum", [parts, over_features], keepdims=1)
        start = self.calibrated(self.node("Sub", [score, moved]), platt)
        difference = self.node("Sub", [probability, start])
        small = self.node("Less", [self.node("Abs", [moved]), self.number(_SMALL)])
        slope = self.node("Div", [self._spread(probability), self._spread(self._clipped(score))])
        slope = self.node("Mul", [slope, self.number(platt.slope)])
        divisor = self.node("Where", [small, self.number(1.0), moved])
        quotient = self.node("Div", [difference, divisor])
        return self.node("Mul", [parts, self.node("Where", [small, slope, quotient])])

    def _clipped(self, score: str) -> str:
        margins = [self.number(SCORE_MARGIN), self.number(1 - SCORE_MARGIN)]
        return self.node("Clip", [score, *margins])

    def _odds(self, score: str) -> str:
        clipped = self._clipped(score)
        return self.node("Div", [clipped, self.node("Sub", [self.number(1.0), clipped])])

    def _spread(self, share: str) -> str:
        return self.node("Mul", [share, self.node("Sub", [self.number(1.0), share])])

    def answer(self, name: str, result: str, shape: list[int]) -> None:
        """Give a result out, in that shape."""
        wanted = self.constant(np.array(shape, dtype=np.int64))
        self.nodes.append(helper.make_node("Reshape", [result, wanted], [name]))
        sizes: list[str | int | None] = ["rows", *shape[1:]]
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes))

    def finish(self) -> onnx.ModelProto:
        shape: list[str | int | None] = ["rows", len(self.features)]
        inputs = [helper.make_tensor_value_info(ONNX_INPUT, TensorProto.FLOAT, shape)]
        graph = helper.make_graph(self.nodes, "loan_model", inputs, self.outputs, self.constants)
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
