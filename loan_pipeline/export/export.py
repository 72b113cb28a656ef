"""From a trained predictor to one ONNX graph: members, their weights and calibration joined.

The graph takes every feature of the set in the contract's order and answers the calibrated
probability of "paid off", needing neither AutoGluon nor a pickle. Where all members are forests it
answers the reasons as well.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import onnx

from loan_pipeline.export.converters import FittedGraph, convert
from loan_pipeline.export.forests import joined
from loan_pipeline.export.graph import Graph
from loan_pipeline.export.reasons import TooManyLeaves, reasons_of, score_of
from loan_pipeline.training.errors import NotExportable
from loan_pipeline.training.predictor import TrainedPredictor
from loan_pipeline.training.recipes import require_exportable
from loan_pipeline.training.silence import silence_libraries


def export_onnx(trained: TrainedPredictor) -> onnx.ModelProto:
    """The predictor as one graph, as `contracts.bundle` describes it.

    It has reasons where all members are forests, unless their trees are too deep for it.

    Raises:
        NotExportable: the recipe holds a model that has no ONNX form.
    """
    require_exportable(trained.recipe)
    with silence_libraries():
        members = list(_weighted_members(trained))
    graph = Graph([feature.name for feature in trained.features])
    forest = joined(members, graph.features)
    score = graph.average(members) if forest is None else graph.forest(forest)
    graph.answer_probability(score, trained.calibration)
    if forest is not None:
        with suppress(TooManyLeaves):  # the scorer then estimates them
            reference = np.array(trained.facts.reference, dtype=np.float64)  # None becomes NaN
            baseline = np.nan_to_num(reference, nan=forest.null_as)
            reasons = replace(forest, node=reasons_of(forest.node, baseline))
            slope = trained.calibration.slope_at(score_of(forest.node, baseline))
            graph.answer_reasons(reasons, slope)
    return graph.finish()


def _weighted_members(trained: TrainedPredictor) -> Iterator[tuple[float, FittedGraph]]:
    """Every member's weight and graph. AutoGluon has no public way to these."""
    trainer = trained.predictor._trainer
    ensemble = trainer.load_model(trained.predictor.model_best)
    refitted = trained.predictor.model_refit_map()  # the weights go by the names of the bags
    for name, weight in _ensemble_weights(ensemble).items():
        member: Any = trainer.load_model(refitted.get(name, name))
        if len(member.models) != 1:
            raise NotExportable(f"model {name} did not learn from all loans: train it again")
        yield weight, convert(member.load_child(member.models[0]))


def _ensemble_weights(ensemble: Any) -> dict[str, float]:
    if hasattr(ensemble, "_get_model_weights"):
        return {name: float(weight) for name, weight in ensemble._get_model_weights().items()}
    return {ensemble.name: 1.0}
