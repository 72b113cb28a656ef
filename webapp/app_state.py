"""What the app's requests share: settings, the models in use, the prediction log, the metrics."""

import threading
from dataclasses import dataclass, field

from flask import current_app

from loan_pipeline.lake.protocol import Store
from loan_pipeline.settings import Settings
from webapp.model_watch import ModelWatch
from webapp.recording.metrics import Metrics
from webapp.recording.prediction_log import PredictionLog
from webapp.recording.shipping import LogShipper

EXTENSION = "loan_pipeline"


@dataclass(frozen=True)
class AppState:
    """One per app.

    Attributes:
        draining: set when the server is about to stop.
    """

    settings: Settings
    store: Store
    models: ModelWatch
    predictions: PredictionLog
    shipper: LogShipper
    metrics: Metrics
    draining: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        """Stop the background threads, ship the last answers, and close the log."""
        self.models.stop()
        self.shipper.stop()
        self.predictions.close()


def app_state() -> AppState:
    """The current app's state."""
    state: AppState = current_app.extensions[EXTENSION]
    return state
