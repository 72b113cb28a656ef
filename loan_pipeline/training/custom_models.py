"""Custom models for AutoGluon, where measurements asked for one that it lacks.

Imported by training alone: AutoGluon takes seconds to import. Their export is in `converters`.
"""

from collections.abc import Mapping
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
    """Extra trees that draw their cuts on a logarithmic scale, monotone where asked.

    Extra trees draw each cut uniformly between a feature's least and greatest value. Amounts of
    money have long tails, so on their own scale most cuts fall where hardly any loan is.

    The hyperparameter `monotonic_cst` is a mapping of features to 1 (the probability of "paid off"
    may only rise with it) or -1 (only fall), where scikit-learn takes a list by column.
    """

    ag_key = "LOGXT"
    ag_name = "LogScaleExtraTrees"

    def _get_model_params(self, **kwargs: Any) -> dict[str, Any]:
        params: dict[str, Any] = super()._get_model_params(**kwargs)
        directions = params.get("monotonic_cst")
        if isinstance(directions, Mapping) and self._features_internal is not None:
            columns = self._features_internal  # those that AutoGluon did not drop as constant
            params["monotonic_cst"] = [directions.get(column, 0) for column in columns]
        return params

    def _preprocess(self, X: pd.DataFrame, **kwargs: Any) -> Float32Array:  # noqa: N803  AutoGluon's
        return log_scale(super()._preprocess(X, **kwargs))
