"""What requests share: settings, the models in use, the prediction log, the metrics."""

from dataclasses import dataclass

from flask import current_app

from loan_pipeline.settings import Settings
from webapp.metrics import Metrics
from webapp.model_watch import ModelWatch
from webapp.prediction_log import PredictionLog

EXTENSION = "loan_pipeline"


@dataclass(frozen=True)
class Services:
    """One set per app."""

    settings: Settings
    models: ModelWatch
    log: PredictionLog
    metrics: Metrics


def services() -> Services:
    """The current app's services."""
    found: Services = current_app.extensions[EXTENSION]
    return found
