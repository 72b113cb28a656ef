"""The features of a loan: name, unit, definition, range and the meaning of null.

The *application* set is what a form can ask; the *behavioural* set adds what the account's history
tells. The builders in `features/` must produce exactly these columns, the released bundle carries
them, and the documentation is generated from them.
"""

import hashlib
import json
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
    """A fingerprint of what a model depends on: a bundle made for another one must not be used.

    Hashed are, in the model's order, each feature's name, unit, codes in their order, whether it
    may be null, and what it is computed from (`Origin`, which decides what a bundle looks up).
    Labels, definitions, the words for null and the bounds of valid requests change no number that
    a model gets, so they are left out. A feature that is computed otherwise needs a new name.
    """
    depends_on = [
        [one.name, one.unit, one.origin, list(one.codes), one.null_means is not None]
        for one in feature_set(name)
    ]
    return hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:16]
