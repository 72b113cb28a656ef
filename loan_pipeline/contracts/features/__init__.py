"""The features of a loan: name, unit, definition, range and the meaning of null.

The *application* set is what a form can ask; the *behavioural* set adds the account's history and
has none of the protected characteristics. The builders in `features/` must produce exactly these
columns, the released bundle carries them, and the documentation is generated from them.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict
from typing import Literal

from loan_pipeline.contracts.features.application import APPLICATION_FEATURES
from loan_pipeline.contracts.features.behavioural import BEHAVIOURAL_FEATURES
from loan_pipeline.contracts.features.feature import Feature, Origin
from loan_pipeline.errors import LoanPipelineError

__all__ = [
    "APPLICATION_FEATURES",
    "BEHAVIOURAL_FEATURES",
    "FEATURES",
    "FEATURES_BY_NAME",
    "FEATURE_SET_NAMES",
    "Feature",
    "FeatureSet",
    "Origin",
    "UnsuitableExclusion",
    "contract_version",
    "feature_set",
]

FeatureSet = Literal["application", "behavioural"]
FEATURE_SET_NAMES: tuple[FeatureSet, ...] = ("application", "behavioural")

FEATURES: tuple[Feature, ...] = APPLICATION_FEATURES + BEHAVIOURAL_FEATURES
_BEHAVIOURAL = tuple(feature for feature in FEATURES if not feature.protected)
FEATURES_BY_NAME = {feature.name: feature for feature in FEATURES}


class UnsuitableExclusion(LoanPipelineError):
    """Features that cannot be left out of a set."""


def feature_set(name: FeatureSet, excluded: Collection[str] = ()) -> tuple[Feature, ...]:
    """The features of a set, in the model's order.

    Args:
        name: the set.
        excluded: features to leave out, and with them what is computed from them; those of
            another set are no matter.

    Raises:
        UnsuitableExclusion: no feature is called so, or the request is nothing without it.
    """
    if unknown := set(excluded) - FEATURES_BY_NAME.keys():
        raise UnsuitableExclusion(
            f"no feature is called {', '.join(sorted(unknown))}: LOAN_EXCLUDED_FEATURES and "
            "excluded_features take names that `loan-pipeline features` lists"
        )
    if needed := set(excluded) & {"amount", "duration"}:
        raise UnsuitableExclusion(
            f"{', '.join(sorted(needed))} cannot be excluded: they are what is asked for"
        )
    members = APPLICATION_FEATURES if name == "application" else _BEHAVIOURAL
    return tuple(
        one for one in members if one.name not in excluded and one.after_payment_of not in excluded
    )


def contract_version(name: FeatureSet, excluded: Collection[str] = ()) -> str:
    """A fingerprint of a set's contract: a bundle made for another one must not be used."""
    text = json.dumps([asdict(one) for one in feature_set(name, excluded)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
