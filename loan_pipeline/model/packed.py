"""The model of a bundle whose recipe has no ONNX form: AutoGluon's predictor, packed and reopened.

Its files are pickles, and opening them runs what they say. The scorer comes here by the entry point
in `pyproject.toml`, where the operator has allowed it and AutoGluon is installed.
"""

import io
import tarfile
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loan_pipeline.contracts.features import feature_set
from loan_pipeline.model import quiet
from loan_pipeline.model.inputs import FloatArray
from loan_pipeline.model.predictor import (
    FACTS_FILE,
    PREDICTOR_FOLDER,
    TrainedPredictor,
    load_predictor,
)
from loan_pipeline.scoring.bundle import BundleError


def pack(trained: TrainedPredictor) -> bytes:
    """What predicting needs of a predictor, as a gzipped tar; without the loans it learned from."""
    facts = trained.facts.model_copy(update={"loan_ids": (), "paid_off": (), "out_of_fold": ()})
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="packing-") as folder, quiet.libraries():
        trained.predictor.clone_for_deployment(str(Path(folder) / PREDICTOR_FOLDER))
        (Path(folder) / FACTS_FILE).write_text(facts.model_dump_json())
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for name in (FACTS_FILE, PREDICTOR_FOLDER):
                archive.add(Path(folder) / name, name)
    return packed.getvalue()


class PackedModel:
    """A packed predictor, opened. It is held in memory: nothing of it stays on the disk.

    Args:
        data: the archive. Only for archives from people who may run code here.
        features: what it must take, in this order.
        place: what to call it in messages.

    Raises:
        BundleError: it cannot be opened, or takes something else.
        ImportError: AutoGluon, or a library of one of its models, is not installed.
    """

    def __init__(self, data: bytes, features: Sequence[str], place: str) -> None:
        self._features = list(features)
        # AutoGluon's neural networks change themselves while they predict.
        self._one_at_a_time = threading.Lock()
        try:
            with tempfile.TemporaryDirectory(prefix="predictor-") as folder, quiet.libraries():
                with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                    archive.extractall(folder, filter="data")
                self._trained = load_predictor(Path(folder))
                self._trained.predictor.persist(max_memory=None)
        except ImportError:
            raise
        except Exception as error:  # what unpickling throws has no common base
            raise BundleError(
                f"{place} is not a predictor that can be opened here ({type(error).__name__}: "
                f"{error}): install the versions that its manifest names, or release again"
            ) from error
        takes = [feature.name for feature in feature_set(self._trained.facts.feature_set)]
        if takes != self._features:
            raise BundleError(
                f"{place} takes {len(takes)} {self._trained.facts.feature_set} features, not the "
                f"{len(self._features)} of its manifest: release again"
            )

    def probabilities(self, rows: NDArray[np.float32]) -> FloatArray:
        """Probabilities [n] that the loans of `rows` [n, features] are paid off."""
        with self._one_at_a_time:
            return self._trained.predict_proba_of_inputs(pd.DataFrame(rows, columns=self._features))

    def reasons(self, row: NDArray[np.float32]) -> None:
        """AutoGluon does not tell them."""
