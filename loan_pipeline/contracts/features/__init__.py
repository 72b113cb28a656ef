"""The features of a loan: name, unit, definition, range and the meaning of null.

The *application* set is what a form can ask; the *behavioural* set adds the account's history and
has neither the protected characteristics nor what grows as the bank ages. The builders in
`features/` must produce exactly these columns, the released bundle carries them, and the
documentation is generated from them.
"""

import hashlib
import json
from collections.abc import Collection
from typing import Literal

from loan_pipeline.contracts.features.application import APPLICATION_FEATURES
from loan_pipeline.contracts.features.behavioural import BEHAVIOURAL_FEATURES
from loan_pipeline.contracts.features.feature import Feature, Origin
from loan_pipeline.contracts.features.refusal_reasons import REFUSAL_REASONS, RefusalReason
from loan_pipeline.errors import LoanPipelineError

__all__ = [
    "APPLICATION_FEATURES",
    "BEHAVIOURAL_FEATURES",
    "FEATURES",
    "FEATURES_BY_NAME",
    "FEATURE_SET_NAMES",
    "REFUSAL_REASONS",
    "Feature",
    "FeatureSet",
    "Origin",
    "RefusalReason",
    "UnsuitableExclusion",
    "contract_version",
    "feature_set",
]

FeatureSet = Literal["application", "behavioural"]
FEATURE_SET_NAMES: tuple[FeatureSet, ...] = ("application", "behavioural")

FEATURES: tuple[Feature, ...] = APPLICATION_FEATURES + BEHAVIOURAL_FEATURES
_BEHAVIOURAL = tuple(one for one in FEATURES if not (one.protected or one.grows_with_time))
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
    """A fingerprint of what a model depends on: a bundle made for another one must not be used.

    Hashed are, in the model's order, each feature's name, unit, codes in their order, whether it
    may be null, and what it is computed from (`Origin`, which decides what a bundle looks up).
    Labels, definitions, the words for null and the bounds of valid requests change no number that
    a model gets, so they are left out. A feature that is computed otherwise needs a new name.
    """
    depends_on = [
        [one.name, one.unit, one.origin, list(one.codes), one.null_means is not None]
        for one in feature_set(name, excluded)
    ]
    return hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:16]
