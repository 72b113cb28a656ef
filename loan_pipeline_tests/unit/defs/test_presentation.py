"""How results look in the UI."""

import dagster as dg
import numpy as np

from loan_pipeline.contracts.bundle import Metric
from loan_pipeline.defs.presentation import metrics_metadata
from loan_pipeline.evaluation.metrics import ScoredLoans
from loan_pipeline.evaluation.validation import Validation

PLOTTED = {"roc_auc", "average_precision", "brier", "balanced_accuracy"}


def test_metrics_are_numbers_that_the_ui_plots_over_runs() -> None:
    metric = Metric(value=0.75, low=0.7, high=0.8)
    measured = dict.fromkeys((*PLOTTED, "accuracy"), metric)
    validation = Validation(
        metrics={"cross_validation": measured, "out_of_time": measured},
        report={},
        pictures={"roc.svg": "<svg/>"},
        out_of_time=ScoredLoans(*[np.array([])] * 4),
    )
    shown = metrics_metadata(validation, str)
    numbers = {name for name, value in shown.items() if isinstance(value, float)}
    assert numbers == {f"{of}_{name}" for of in validation.metrics for name in PLOTTED}
    assert isinstance(shown["roc"], dg.MarkdownMetadataValue)
    assert "0.750 (0.700 to 0.800)" in shown["figures"].value
