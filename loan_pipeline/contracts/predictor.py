"""The manifest of a trained predictor in the lake, and where its files are. No I/O.

    predictors/<feature set>/<id>/
      predictor.tar.gz   AutoGluon's folder with our facts: pickles, for the pipeline alone
      model.<kind>       what a bundle of it serves (not of a holdout predictor)
      manifest.json      this, written last

A predictor never changes; training again makes another one, with another id.
"""

from datetime import UTC, date, datetime
from secrets import token_hex
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from loan_pipeline.contracts.bundle import MANIFEST_FILE, BundleFile
from loan_pipeline.contracts.features import FeatureSet

ARCHIVE_FILE = "predictor.tar.gz"
PREDICTORS = "predictors"


class PredictorManifest(BaseModel):
    """What a predictor is and what it was made from.

    Attributes:
        predictor_id: unique, sortable by time.
        holdout_of: the predictor whose out-of-time test this one makes; None of one for release.
        snapshot_id: the snapshot behind the loans.
        loan_features_id: the table of loans that it learned from.
        excluded: features of the set that it does not see.
        hyperparameters: of a recipe of the user's own; empty otherwise.
        presets: AutoGluon's preset of such a recipe.
        time_limit: seconds after which AutoGluon stops the training; None: no limit.
        test_from: the first day of the out-of-time test; None: the newest fifth of the loans.
        run_id: the Dagster run that trained it.
        files: by name, all but the manifest.
    """

    model_config = ConfigDict(frozen=True)

    predictor_id: str
    holdout_of: str | None = None
    feature_set: FeatureSet
    recipe: str
    target: Literal["observed", "finished"]
    excluded: tuple[str, ...] = ()
    hyperparameters: dict[str, Any] = {}
    presets: str | None = None
    time_limit: float | None = None
    seed: int
    cost_ratio: float | None
    test_from: date | None
    snapshot_id: str
    loan_features_id: str
    run_id: str
    code_revision: str | None
    files: dict[str, BundleFile] = {}


def new_predictor_id() -> str:
    """A unique id, sortable by time: `20261122T164500123456Z-1f2e3d4c`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{token_hex(4)}"


def predictor_folder(name: FeatureSet, predictor_id: str) -> str:
    """A predictor's folder in the lake."""
    return f"{PREDICTORS}/{name}/{predictor_id}"


def predictor_key(name: FeatureSet, predictor_id: str, file: str = MANIFEST_FILE) -> str:
    """Where one file of a predictor is, its manifest unless another is named."""
    return f"{predictor_folder(name, predictor_id)}/{file}"
