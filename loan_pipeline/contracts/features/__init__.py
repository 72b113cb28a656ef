"""The features of a loan: name, unit, definition, range and the meaning of null.

The *application* set is what a form can ask; the *behavioural* set adds the account's
history. The builders in `features/` must produce exactly these columns, the released bundle carries
them, and the documentation is generated from them.
"""

import hashlib
import json
from dataclasses import asdict
from typing import Literal

from loan_pipeline.contracts.features.application import APPLICATION_FEATURES
from loan_pipeline.contracts.features.behavioural import BEHAVIOURAL_FEATURES
from loan_pipeline.contracts.features.feature import Feature, Origin

__all__ = [
    "APPLICATION_FEATURES",
    "BEHAVIOURAL_FEATURES",
    "FEATURES",
    "FEATURES_BY_NAME",
    "FEATURE_SET_NAMES",
    "Feature",
    "FeatureSet",
    "Origin",
    "contract_version",
    "feature_set",
]

FeatureSet = Literal["application", "behavioural"]
FEATURE_SET_NAMES: tuple[FeatureSet, ...] = ("application", "behavioural")

FEATURES: tuple[Feature, ...] = APPLICATION_FEATURES + BEHAVIOURAL_FEATURES
FEATURES_BY_NAME = {feature.name: feature for feature in FEATURES}


def feature_set(name: FeatureSet) -> tuple[Feature, ...]:
    """The features of a set, in the model's order."""
    return APPLICATION_FEATURES if name == "application" else FEATURES


def contract_version(name: FeatureSet) -> str:
    """A fingerprint of a set's contract: a bundle made for another one must not be used."""
    text = json.dumps([asdict(feature) for feature in feature_set(name)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
