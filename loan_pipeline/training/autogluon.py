"""AutoGluon's predictor, imported where it is needed: that takes seconds."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autogluon.tabular import TabularPredictor


def tabular_predictor() -> "type[TabularPredictor]":
    """The class `TabularPredictor`.

    Each time a predictor is saved or loaded AutoGluon reads the version of every installed package,
    which takes longer than the rest. From here on it does so once in a process.

    Raises:
        ImportError: AutoGluon is not installed.
    """
    from autogluon.common.utils import utils
    from autogluon.tabular import TabularPredictor

    if not hasattr(utils.get_package_versions, "cache_info"):
        utils.get_package_versions = cache(utils.get_package_versions)
    found: type[TabularPredictor] = TabularPredictor
    return found
