"""A candidate for release: its metrics as a record, and whether its records belong together."""

import hashlib
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from loan_pipeline.code_revision import code_revision
from loan_pipeline.contracts.bundle import Metric
from loan_pipeline.contracts.origin import require_same
from loan_pipeline.contracts.predictor import PredictorManifest
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.evaluation.metrics import ScoredLoans
from loan_pipeline.evaluation.validation import Validation
from loan_pipeline.lake.feature_tables import FeatureTable


class MetricsRecord(BaseModel):
    """A validation in a form that JSON can hold, with what it was made from.

    Attributes:
        predictor_id: the predictor that was measured.
        holdout_id: the holdout predictor that made the out-of-time test.
        loan_features_id: the table of loans that both learned from.
    """

    model_config = ConfigDict(frozen=True)

    predictor_id: str
    holdout_id: str
    snapshot_id: str
    loan_features_id: str
    code_revision: str | None
    metrics: dict[str, dict[str, Metric]]
    report: dict[str, Any]
    pictures: dict[str, str]
    loan_ids: list[int]
    paid_off: list[int]
    probabilities: list[float]
    decisions: list[int]

    @classmethod
    def of(
        cls, validation: Validation, predictor: PredictorManifest, holdout: PredictorManifest
    ) -> Self:
        """The record of a validation."""
        test = validation.out_of_time
        return cls(
            predictor_id=predictor.predictor_id,
            holdout_id=holdout.predictor_id,
            snapshot_id=predictor.snapshot_id,
            loan_features_id=predictor.loan_features_id,
            code_revision=code_revision(),
            metrics=validation.metrics,
            report=validation.report,
            pictures=validation.pictures,
            loan_ids=test.loan_ids.tolist(),
            paid_off=test.paid_off.tolist(),
            probabilities=test.probabilities.tolist(),
            decisions=test.decisions.tolist(),
        )

    @property
    def metrics_id(self) -> str:
        """Identifies these figures: a hash of the record."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    def validation(self) -> Validation:
        """The validation of this record."""
        test = ScoredLoans(
            np.array(self.loan_ids),
            np.array(self.paid_off),
            np.array(self.probabilities),
            np.array(self.decisions),
        )
        return Validation(self.metrics, self.report, self.pictures, test)


def require_of_loans(predictor: PredictorManifest, loan_features: FeatureTable) -> None:
    """Refuse a table of loans that a predictor did not learn from.

    Raises:
        RecordsDiffer: names both.
    """
    name = predictor.feature_set
    require_same(
        "loan_features",
        (f"{name} predictor {predictor.predictor_id}", predictor.loan_features_id),
        ("the table at hand", loan_features.table_id),
        f"materialise {name}/predictor again",
    )


def require_holdout_of(holdout: PredictorManifest, predictor: PredictorManifest) -> None:
    """Refuse a holdout predictor that was trained for another predictor.

    Raises:
        RecordsDiffer: names both.
    """
    name = predictor.feature_set
    require_same(
        "predictor",
        (f"{name} holdout predictor {holdout.predictor_id}", holdout.holdout_of or ""),
        (f"{name}/predictor", predictor.predictor_id),
        f"materialise {name}/holdout_predictor again",
    )


def require_metrics_of(metrics: MetricsRecord, predictor: PredictorManifest) -> None:
    """Refuse metrics that were measured of another predictor.

    Raises:
        RecordsDiffer: names both.
    """
    name = predictor.feature_set
    require_same(
        "predictor",
        (f"{name}/metrics", metrics.predictor_id),
        (f"{name}/predictor", predictor.predictor_id),
        f"materialise {name}/holdout_predictor and {name}/metrics again",
    )


def require_snapshot_of(snapshot: SnapshotManifest, predictor: PredictorManifest) -> None:
    """Refuse another snapshot than the one behind a predictor.

    Raises:
        RecordsDiffer: names both.
    """
    name = predictor.feature_set
    require_same(
        "snapshot",
        ("the snapshot at hand", snapshot.snapshot_id),
        (f"{name} predictor {predictor.predictor_id}", predictor.snapshot_id),
        f"materialise loan_features, account_features, {name}/predictor and what follows again",
    )


def require_accounts_of(account_features: FeatureTable, predictor: PredictorManifest) -> None:
    """Refuse accounts of another snapshot than the one behind a predictor.

    Raises:
        RecordsDiffer: names both.
    """
    name = predictor.feature_set
    require_same(
        "snapshot",
        ("account_features", account_features.snapshot_id),
        (f"{name} predictor {predictor.predictor_id}", predictor.snapshot_id),
        "materialise account_features, loan_features and what follows again, from one snapshot",
    )
