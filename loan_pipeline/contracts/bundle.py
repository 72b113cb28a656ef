"""The manifest of a released model bundle: what the web app may load, and how to verify it.

A bundle is a folder `releases/<feature set>/<version>/` in the store:

    manifest.json      this, written last
    model.<kind>       the model, by the manifest's kind; nulls are NaN
      model.onnx       a graph: input `features` float32 [rows, features], output
                       `probability_paid_off` float32 [rows]. Of forests also `contributions`
                       float32 [explained, features] to the scores before calibration, against
                       the manifest's baseline, of as many first rows as the optional input
                       `explained_rows` int64 [1] says; and the metadata `slope`: the
                       calibration's at the baseline
      model.autogluon  a gzipped tar of AutoGluon's predictor, which is pickles: served only where
                       the operator allows it
    accounts.sqlite    behavioural only: table account_features(account_id INTEGER PRIMARY KEY,
                       one REAL column per feature of origin "account", codes by their number)
    metrics.json       the validation report behind `metrics`
    verdict.json       what the release gate found (`contracts.verdict.CandidateVerdict`)
    *.svg              the model page's pictures

`releases/<feature set>/latest.json` holds {"version": …} and is replaced atomically.
"""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.contracts.known_ground import KnownRange

BUNDLE_FORMAT = 2  # 1 did not name what a bundle was made from
ONNX_INPUT = "features"
ONNX_OUTPUT = "probability_paid_off"
ONNX_EXPLAINED = "explained_rows"
ONNX_REASONS = "contributions"
ONNX_SLOPE = "slope"
ONNX, AUTOGLUON = "onnx", "autogluon"  # kinds of models
ACCOUNTS_FILE = "accounts.sqlite"
METRICS_FILE = "metrics.json"
VERDICT_FILE = "verdict.json"
MANIFEST_FILE = "manifest.json"
APPROVAL_FILE = "approval.json"  # beside a release that a person approved; not part of the bundle
RELEASES = "releases"


def model_file(kind: str) -> str:
    """The name of the file that holds a model of that kind."""
    return f"model.{kind}"


def releases_folder(name: FeatureSet) -> str:
    """Where the releases of a feature set are, each in a folder called by its version."""
    return f"{RELEASES}/{name}"


def release_key(name: FeatureSet, version: str, file: str = MANIFEST_FILE) -> str:
    """Where one file of a release is, its manifest unless another is named."""
    return f"{releases_folder(name)}/{version}/{file}"


def latest_release_key(name: FeatureSet) -> str:
    """Where the pointer to the current release is."""
    return f"{releases_folder(name)}/latest.json"


class BundleFile(BaseModel):
    """One file's size and fingerprint."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    sha256: str


class BundleFeature(BaseModel):
    """One model input, with the values that explanations compare against.

    Attributes:
        baseline: the model's number for the reference loan (the reasons' zero).
        quantiles: the training loans' 0, 10, … 100 % quantiles (nulls left out), for drift.
        null_share: share of training loans without a value.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    baseline: float | None  # None where the reference loan has no value
    quantiles: tuple[float, ...]
    null_share: float


class Training(BaseModel):
    """What the model learned from, and the records it was made from.

    Attributes:
        snapshot_id: the snapshot behind the loans and the looked-up accounts.
        predictor_id: the predictor in the lake that the model was exported from.
        metrics_id: the metrics that were measured of it.
        loan_features_id: the table of loans.
        account_features_id: the table of looked-up accounts; None where nothing is looked up.
        run_id: the Dagster run that trained it.
    """

    model_config = ConfigDict(frozen=True)

    snapshot_id: str
    predictor_id: str
    metrics_id: str
    loan_features_id: str
    account_features_id: str | None = None
    run_id: str
    recipe: str
    target: Literal["observed", "finished"]
    n_train: int
    bad_train: int
    first_loan_date: date
    last_loan_date: date
    seconds_train: float


class Metric(BaseModel):
    """A figure with its 95 % bootstrap interval."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float


class BundleManifest(BaseModel):
    """Everything the app needs to trust and to describe a bundle.

    Attributes:
        version: unique, sortable by time ("20261122T164500Z-1f2e3d4c").
        kind: what the model is. Manifests from before there were two say nothing and mean a graph.
        contract_version: `contracts.features.contract_version` of the feature set.
        known_ranges: what the training loans covered; a request beyond it is for a person.
        as_of: the date up to which the looked-up accounts are known (exclusive).
        threshold: "paid_off" is answered at or above this probability.
        metrics: by sample ("cross_validation", "out_of_time"), then by name ("roc_auc", …).
        files: by name, all but the manifest itself.
    """

    model_config = ConfigDict(frozen=True)

    format: int = BUNDLE_FORMAT
    feature_set: FeatureSet
    version: str
    kind: str = Field(default=ONNX, pattern=r"^[a-z]{1,32}$")
    created_at: datetime
    contract_version: str
    features: tuple[BundleFeature, ...]
    known_ranges: tuple[KnownRange, ...] = ()
    as_of: date
    threshold: float = Field(ge=0, le=1)
    training: Training
    metrics: dict[str, dict[str, Metric]]
    software: dict[str, str]
    code_revision: str | None
    files: dict[str, BundleFile]
