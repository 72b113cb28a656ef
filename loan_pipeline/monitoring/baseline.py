"""What later requests are compared with: the distributions of a release's own loans.

Measured with the candidate and kept in the bundle's metrics: it lasts as long as the release.
"""

import json
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, ValidationError

from loan_pipeline.contracts.bundle import METRICS_FILE
from loan_pipeline.contracts.distribution import Distribution
from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.evaluation.validation import BASELINE
from loan_pipeline.lake.protocol import Store, StoreKeyMissing
from loan_pipeline.release.publish import read_release_file


class Baseline(BaseModel):
    """A release's distributions.

    Attributes:
        score: of the probabilities that models gave to loans they had not seen.
        features: of the loans that it learned from, by name.
    """

    model_config = ConfigDict(frozen=True)

    score: Distribution
    features: dict[str, Distribution]


def read_baselines(store: Store, name: FeatureSet, versions: Iterable[str]) -> dict[str, Baseline]:
    """The baselines by version; without those of releases that are not kept or have none."""
    found = {}
    for version in versions:
        try:
            report = json.loads(read_release_file(store, name, version, METRICS_FILE))
            found[version] = Baseline.model_validate(report[BASELINE])
        except (StoreKeyMissing, KeyError, ValueError, ValidationError):
            continue
    return found
