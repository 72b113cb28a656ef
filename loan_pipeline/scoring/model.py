"""Opens the model in a bundle: rows in, probabilities out. What they mean is the scorer's."""

import ctypes
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from importlib.metadata import entry_points
from typing import NamedTuple, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from loan_pipeline.contracts.bundle import (
    ONNX,
    ONNX_EXPLAINED,
    ONNX_INPUT,
    ONNX_OUTPUT,
    ONNX_REASONS,
    ONNX_SLOPE,
)
from loan_pipeline.scoring.bundle import BundleError

ENTRY_POINTS = "loan_pipeline.models"
_ONE = np.array([1], dtype=np.int64)
_CHUNK_ROWS = 4_096  # fewer are scored sooner than another thread starts


class ModelReasons(NamedTuple):
    """A model's own reasons for the score of one row.

    Attributes:
        probability: that the loan is paid off.
        contributions: of each feature to the score before its calibration, against the reference
            loan, float64 of shape [features].
        slope: by how much the probability moves with the score, near the reference loan.
    """

    probability: float
    contributions: NDArray[np.float64]
    slope: float


class Model(Protocol):
    """What a scorer needs of a model. Threads share it."""

    def probabilities(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities [n] that the loans of `rows` [n, features] are paid off."""

    def reasons(self, row: NDArray[np.float32]) -> ModelReasons | None:
        """The reasons for a row [features]; None from a model that does not compute them."""


class OnnxModel:
    """A bundle's ONNX graph. Few rows are one call, many are split between the cores.

    Args:
        graph: the graph's bytes.
        features: how many it must take.
        place: what to call it in messages.

    Raises:
        BundleError: it cannot be run, or takes or answers something else.
    """

    def __init__(self, graph: bytes, features: int, place: str) -> None:
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
        _release_memory()
        inputs = {item.name: item for item in self._session.get_inputs()}
        outputs = {item.name for item in self._session.get_outputs()}
        slope = self._session.get_modelmeta().custom_metadata_map.get(ONNX_SLOPE)
        self._slope = float(slope) if slope and ONNX_REASONS in outputs else None
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

    def reasons(self, row: NDArray[np.float32]) -> ModelReasons | None:
        """As `Model` says."""
        if self._slope is None:
            return None
        asked = {ONNX_INPUT: row[None, :], ONNX_EXPLAINED: _ONE}
        probability, parts = self._session.run([ONNX_OUTPUT, ONNX_REASONS], asked)
        return ModelReasons(float(probability[0]), parts[0].astype(np.float64), self._slope)

    def _run(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        (answers,) = self._session.run([ONNX_OUTPUT], {ONNX_INPUT: rows})
        return np.asarray(answers, dtype=np.float64).reshape(-1)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        # Threads help: a session releases Python's lock while it runs.
        return ThreadPoolExecutor(_usable_cores(), thread_name_prefix="model")


def open_model(
    kind: str, data: bytes, features: Sequence[str], place: str, *, allow_pickles: bool
) -> Model:
    """Open a model.

    What is no ONNX graph is opened by an entry point of the group `loan_pipeline.models` that has
    the kind's name and is called with `data`, `features` and `place`.

    Args:
        kind: what it is, as the manifest says.
        data: its file, verified.
        features: what it must take, in this order.
        place: what to call it in messages.
        allow_pickles: whether to open files that can run code.

    Raises:
        BundleError: it is not allowed, cannot be opened, or does not fit the features.
    """
    if kind == ONNX:
        return OnnxModel(data, len(features), place)
    openers = entry_points(group=ENTRY_POINTS, name=kind)
    if not openers:
        raise BundleError(
            f"{place} is of the kind {kind}, which nothing installed here opens: install the "
            "version that released it, or release again"
        )
    if not allow_pickles:
        raise BundleError(
            f"{place} holds pickles ({kind}), which run code of the lake's writers: set "
            "LOAN_ALLOW_PICKLES=true to load them, or release a recipe that exports to ONNX"
        )
    try:
        model: Model = openers[kind].load()(data, features, place)
    except ImportError as error:
        raise BundleError(
            f"{place} is of the kind {kind}, and {error.name} is not installed here: install "
            "loan-pipeline[pipeline], or release a recipe that exports to ONNX"
        ) from error
    return model


def _release_memory() -> None:
    """Return to the system what parsing a graph took: several times what the model keeps."""
    with suppress(AttributeError):  # GNU's C library only
        ctypes.CDLL(None).malloc_trim(0)


def _usable_cores() -> int:
    """How many cores this process may use, which may be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
