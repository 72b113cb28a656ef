import importlib
import sys
import threading
import warnings
from types import ModuleType

import pytest

from loan_pipeline.training.silence import silence_libraries


def test_a_warning_of_a_thread_that_emptied_the_filters_is_not_shown(
    recwarn: pytest.WarningsRecorder,
) -> None:
    def warn() -> None:
        warnings.resetwarnings()
        warnings.warn("of a library", UserWarning, stacklevel=1)

    with silence_libraries():
        thread = threading.Thread(target=warn)
        thread.start()
        thread.join()
    assert not recwarn.list


def test_warnings_after_it_are_seen_again() -> None:
    with silence_libraries():
        warnings.warn("of a library", UserWarning, stacklevel=1)
    with pytest.warns(UserWarning, match="of ours"):
        warnings.warn("of ours", UserWarning, stacklevel=1)


def test_mlflow_is_not_imported_inside_and_can_be_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "mlflow", raising=False)
    with silence_libraries(), pytest.raises(ImportError):
        importlib.import_module("mlflow")
    assert "mlflow" not in sys.modules
    known = ModuleType("mlflow")
    monkeypatch.setitem(sys.modules, "mlflow", known)
    with silence_libraries():
        assert importlib.import_module("mlflow") is known
    assert sys.modules["mlflow"] is known
