"""Silences what the learning libraries print and warn about that no user here can act on."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LEVELS = {
    "autogluon": logging.ERROR,
    # An error for each model that PyTorch is missing, which most recipes do without.
    "autogluon.common.utils.resource_utils": logging.CRITICAL,
    "onnxmltools": logging.ERROR,
    "skl2onnx": logging.ERROR,
}


@contextmanager
def silence_libraries() -> Iterator[None]:
    """Hold back warnings inside, and the log lines of AutoGluon and the converters."""
    loggers = [logging.getLogger(name) for name in _LEVELS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), _without_mlflow():
        warnings.simplefilter("ignore")
        # scikit-learn's threads empty the filters of the whole process for moments.
        warnings.showwarning = _drop
        for logger, level in zip(loggers, _LEVELS.values(), strict=True):
            logger.setLevel(level)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def _without_mlflow() -> Iterator[None]:
    """Where nobody has imported MLflow, nobody does inside.

    AutoGluon would, where it is installed, to warn of a switch that nobody here touches: that takes
    seconds, and may report to MLflow's makers.
    """
    if "mlflow" in sys.modules:
        yield
        return
    sys.modules["mlflow"] = None  # type: ignore[assignment]  # what imports it gets an ImportError
    try:
        yield
    finally:
        del sys.modules["mlflow"]


def _drop(*_warning: object, **_more: object) -> None:
    pass
