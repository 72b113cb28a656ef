"""The model in a bundle, opened: rows in, probabilities out. What they mean is the scorer's."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from loan_pipeline.contracts.bundle import MODEL_FILE, ONNX_INPUT, ONNX_OUTPUT
from loan_pipeline.scoring.bundle import Bundle, BundleError

_CHUNK_ROWS = 4_096  # fewer are answered sooner than other threads take them over


class Model(Protocol):
    """What a scorer needs of a model. Threads may share it, processes may not."""

    def probabilities(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities [n] that the loans of `rows` [n, features] are paid off."""


class OnnxModel:
    """A bundle's ONNX graph. Few rows are one call, many are shared out among the cores.

    Args:
        graph: the graph's bytes.
        features: how many it must take.
        place: what to call it in messages.

    Raises:
        BundleError: it cannot be run, or takes or answers something else.
    """

    def __init__(self, graph: bytes, features: int, place: str) -> None:
        # Imported here because importing it starts threads, which a later fork would cut off: a
        # server may import this module, fork, and open a model in each worker.
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors have no common base
            raise BundleError(
                f"{place} is not a model that can be run ({error}): release again"
            ) from error
        inputs = {item.name: item for item in self._session.get_inputs()}
        outputs = {item.name for item in self._session.get_outputs()}
        width = inputs[ONNX_INPUT].shape[-1] if ONNX_INPUT in inputs else None
        if inputs.keys() != {ONNX_INPUT} or ONNX_OUTPUT not in outputs or width != features:
            raise BundleError(
                f"{place} must take {ONNX_INPUT} [rows, {features}] and answer {ONNX_OUTPUT}, "
                f"it takes {sorted(inputs)} and answers {sorted(outputs)}: release again"
            )

    def probabilities(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities [n] that the loans of `rows` [n, features] are paid off."""
        chunks = -(-len(rows) // _CHUNK_ROWS)
        if chunks <= 1:
            return self._run(rows)
        return np.concatenate(list(self._pool.map(self._run, np.array_split(rows, chunks))))

    def _run(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        (answers,) = self._session.run([ONNX_OUTPUT], {ONNX_INPUT: rows})
        return np.asarray(answers, dtype=np.float64).reshape(-1)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        # Threads help because a session lets go of Python's lock while it runs.
        return ThreadPoolExecutor(_usable_cores(), thread_name_prefix="model")


def open_model(bundle: Bundle) -> Model:
    """The model of a bundle.

    Raises:
        BundleError: it cannot be run, or does not fit the manifest.
    """
    return OnnxModel(bundle.model, len(bundle.features), model_place(bundle))


def model_place(bundle: Bundle) -> str:
    """What messages call a bundle's model."""
    return f"bundle {bundle.manifest.version}: {bundle.folder / MODEL_FILE}"


def _usable_cores() -> int:
    """How many cores this process may use, which may be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
