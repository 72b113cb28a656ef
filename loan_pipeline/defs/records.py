"""What the model's assets hand on: small records, kept as JSON."""

from datetime import date
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from loan_pipeline.contracts.bundle import Metric
from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.evaluation.metrics import ScoredLoans
from loan_pipeline.evaluation.validation import Validation


class PredictorRecord(BaseModel):
    """Where a trained predictor is, its twin, and the file of it that is released."""

    model_config = ConfigDict(frozen=True)

    feature_set: FeatureSet
    snapshot_id: str
    run_id: str
    predictor: str
    twin: str
    model: str
    test_from: date | None = None


class MetricsRecord(BaseModel):
    """A validation in a form that JSON can hold."""

    model_config = ConfigDict(frozen=True)

    metrics: dict[str, dict[str, Metric]]
    report: dict[str, Any]
    pictures: dict[str, str]
    loan_ids: list[int]
    paid_off: list[int]
    probabilities: list[float]
    decisions: list[int]

    @classmethod
    def of(cls, validation: Validation) -> Self:
        """The record of a validation."""
        test = validation.out_of_time
        return cls(
            metrics=validation.metrics,
            report=validation.report,
            pictures=validation.pictures,
            loan_ids=test.loan_ids.tolist(),
            paid_off=test.paid_off.tolist(),
            probabilities=test.probabilities.tolist(),
            decisions=test.decisions.tolist(),
        )

    def validation(self) -> Validation:
        """The validation of this record."""
        test = ScoredLoans(
            np.array(self.loan_ids),
            np.array(self.paid_off),
            np.array(self.probabilities),
            np.array(self.decisions),
        )
        return Validation(self.metrics, self.report, self.pictures, test)
