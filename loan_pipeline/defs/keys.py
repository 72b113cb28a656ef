"""The keys of the assets that there is one of for each feature set, and of tags."""

import dagster as dg

from loan_pipeline.contracts.features import FeatureSet

STARTED_BY = "loan_pipeline/started_by"  # the tag that says who or what started a run


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
