"""Custom models for AutoGluon, where measurements asked for one that it lacks.

Imported by training alone: AutoGluon takes seconds to import. Their export is in `converters`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from autogluon.tabular.models import XTModel

Float32Array = npt.NDArray[np.float32]


def log_scale(values: Float32Array) -> Float32Array:
    """sign(x) · log(1 + |x|), rising strictly where float32 distinguishes values."""
    wide = values.astype(np.float64)
    scaled: Float32Array = (np.sign(wide) * np.log1p(np.abs(wide))).astype(np.float32)
    return scaled


class LogScaleExtraTrees(XTModel):  # type: ignore[misc]  # AutoGluon ships no types
    """Extra trees that draw their cuts on a logarithmic scale.

    Extra trees draw each cut uniformly between a feature's least and greatest value. Amounts of
    money have long tails, so on their own scale most cuts fall where hardly any loan is.
    """

    ag_key = "LOGXT"
    ag_name = "LogScaleExtraTrees"

    def _preprocess(self, X: pd.DataFrame, **kwargs: Any) -> Float32Array:  # noqa: N803  AutoGluon's
        return log_scale(super()._preprocess(X, **kwargs))
