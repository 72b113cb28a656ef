"""The ground that the training loans covered, for the bundle's manifest."""

import numpy as np
import pandas as pd

from loan_pipeline.contracts.known_ground import JOINT_LIMITS, KnownRange
from loan_pipeline.training.inputs import FloatArray
from loan_pipeline.training.predictor import TrainedPredictor


def known_ranges(trained: TrainedPredictor, known: pd.DataFrame) -> tuple[KnownRange, ...]:
    """The ranges of the model's numeric inputs, in its order, then of the joint limits.

    Left out is what grows with the bank's age whatever a client does (`Feature.grows_with_time`):
    after a year every applicant would be beyond it.

    Args:
        trained: the predictor.
        known: the loans that it learned from.
    """
    inputs = trained.inputs(known)
    columns = {
        feature.name: inputs[feature.name].to_numpy(dtype=np.float64)
        for feature in trained.features
        if not feature.codes and not feature.grows_with_time
    }
    rows = [
        dict(zip(map(str, inputs.columns), row, strict=True))
        for row in inputs.to_numpy(dtype=np.float64).tolist()
    ]
    joint = {
        limit.name: np.array([limit.value(row) for row in rows], dtype=np.float64)
        for limit in JOINT_LIMITS
        if {limit.of, limit.over} <= set(inputs.columns)
    }
    ranges = (_range(name, values) for name, values in (columns | joint).items())
    return tuple(one for one in ranges if one is not None)


def _range(name: str, values: FloatArray) -> KnownRange | None:
    present = values[~np.isnan(values)]
    if not len(present):
        return None
    return KnownRange(
        feature=name,
        minimum=float(present.min()),
        maximum=float(present.max()),
        missing=len(present) < len(values),
    )
