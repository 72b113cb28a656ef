"""The model of a bundle whose recipe has no ONNX form: AutoGluon's predictor, packed and reopened.

Its files are pickles, and opening them runs what they say. The scorer comes here by the entry point
in `pyproject.toml`, where the operator has allowed it and AutoGluon is installed.
"""

import io
import json
import tarfile
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loan_pipeline.scoring.bundle import BundleError
from loan_pipeline.training.archive import unpack
from loan_pipeline.training.autogluon import tabular_predictor
from loan_pipeline.training.calibration import Platt
from loan_pipeline.training.inputs import FloatArray
from loan_pipeline.training.monotone import falling_with_amount
from loan_pipeline.training.predictor import TrainedPredictor
from loan_pipeline.training.silence import silence_libraries

# What the archive holds.
PREDICTOR_FOLDER, CALIBRATION_FILE = "predictor", "calibration.json"


def pack(trained: TrainedPredictor) -> bytes:
    """What predicting needs of a predictor, as a gzipped tar; without the loans it learned from."""
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="packing-") as folder, silence_libraries():
        trained.predictor.clone_for_deployment(str(Path(folder) / PREDICTOR_FOLDER))
        (Path(folder) / CALIBRATION_FILE).write_text(
            json.dumps({**asdict(trained.calibration), "amounts": trained.facts.amounts})
        )
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for name in (CALIBRATION_FILE, PREDICTOR_FOLDER):
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
        predictors = tabular_predictor()  # packing has it, a server may lack it
        self._features = list(features)
        # AutoGluon's neural networks change themselves while they predict.
        self._one_at_a_time = threading.Lock()
        try:
            with tempfile.TemporaryDirectory(prefix="predictor-") as folder, silence_libraries():
                with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                    unpack(archive, Path(folder))
                calibration = json.loads((Path(folder) / CALIBRATION_FILE).read_bytes())
                self._amounts = tuple(calibration.pop("amounts"))
                self._calibration = Platt(**calibration)
                path = str(Path(folder) / PREDICTOR_FOLDER)
                self._predictor = predictors.load(path, verbosity=0)
                self._predictor.persist(max_memory=None)
        except ImportError:
            raise
        except Exception as error:  # what unpickling throws has no common base
            raise BundleError(
                f"{place} is not a predictor that can be opened here ({type(error).__name__}: "
                f"{error}): install the versions that its manifest names, or release again"
            ) from error
        if missing := set(self._predictor.features()) - set(features):
            raise BundleError(
                f"{place} needs {', '.join(sorted(missing))}, which its manifest does not list: "
                "release again"
            )

    def probabilities(self, rows: NDArray[np.float32]) -> FloatArray:
        """Probabilities [n] that the loans of `rows` [n, features] are paid off."""
        inputs = pd.DataFrame(rows, columns=self._features)
        return falling_with_amount(self._probabilities, inputs, self._amounts)

    def _probabilities(self, inputs: pd.DataFrame) -> FloatArray:
        with self._one_at_a_time, silence_libraries():
            scores = self._predictor.predict_proba(inputs, as_multiclass=False)
        return self._calibration.apply(np.asarray(scores, dtype=np.float64))

    def reasons(self, row: NDArray[np.float32]) -> None:
        """None: AutoGluon has no exact reasons."""
