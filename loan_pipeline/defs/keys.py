"""The keys of the assets that there is one of for each feature set, of groups and of tags."""

import dagster as dg

from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FeatureSet

STARTED_BY = "loan_pipeline/started_by"  # the tag that says who or what started a run

# The UI lists groups by name: the numbers put them in the order of the data.
_IN_ORDER = ("bank", "lake", "features", *FEATURE_SET_NAMES, "portfolio", "monitoring")
GROUPS = {name: f"{number}_{name}" for number, name in enumerate(_IN_ORDER, start=1)}


def predictor_key(name: FeatureSet) -> dg.AssetKey:
    """The predictor for release."""
    return dg.AssetKey([name, "predictor"])


def holdout_key(name: FeatureSet) -> dg.AssetKey:
    """The holdout predictor."""
    return dg.AssetKey([name, "holdout_predictor"])


def metrics_key(name: FeatureSet) -> dg.AssetKey:
    """What was measured."""
    return dg.AssetKey([name, "metrics"])


def verdict_key(name: FeatureSet) -> dg.AssetKey:
    """The release gate's verdict."""
    return dg.AssetKey([name, "verdict"])


def release_key(name: FeatureSet) -> dg.AssetKey:
    """The release."""
    return dg.AssetKey([name, "release"])
