"""Silences what the learning libraries print and warn about that no user here can act on."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silence_libraries() -> Iterator[None]:
    """Hold back warnings inside, and AutoGluon's and the converters' log lines below errors."""
    loggers = [logging.getLogger(name) for name in ("autogluon", "skl2onnx", "onnxmltools")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
