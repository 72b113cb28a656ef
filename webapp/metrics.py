"""Prometheus metrics: latency, errors, scores, model versions.

With several workers (`PROMETHEUS_MULTIPROC_DIR`, set by the gunicorn configuration) each scrape
adds up all of them.
"""

import os
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.scoring.scorer import Prediction
from webapp.model_watch import ModelStatus

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_PROBABILITIES = tuple(n / 10 for n in range(1, 11))


class Metrics:
    """The app's metrics; one registry per app, so that several apps may live in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.seconds = Histogram(
            "loan_request_seconds",
            "Time to answer a request.",
            ("endpoint",),
            registry=self._registry,
            buckets=_SECONDS,
        )
        self.requests = Counter(
            "loan_requests", "Requests answered.", ("endpoint", "status"), registry=self._registry
        )
        self.scores = Histogram(
            "loan_probability_paid_off",
            "Probabilities answered.",
            ("feature_set",),
            registry=self._registry,
            buckets=_PROBABILITIES,
        )
        self.predictions = Counter(
            "loan_predictions",
            "Answers given.",
            ("feature_set", "prediction"),
            registry=self._registry,
        )
        self.model = Gauge(
            "loan_model_in_use",
            "1 for the model version in use, 0 for those before it.",
            ("feature_set", "version"),
            registry=self._registry,
            multiprocess_mode="livemax",
        )
        self.refused = Gauge(
            "loan_release_refused",
            "1 while the latest release cannot be used.",
            ("feature_set",),
            registry=self._registry,
            multiprocess_mode="livemax",
        )
        self.log_lost = Counter(
            "loan_prediction_log_lost", "Answers not recorded.", registry=self._registry
        )
        self._versions: dict[FeatureSet, str] = {}
        # Looking a child up by its labels costs more than counting with it.
        self._of_request = cache(self._find_of_request)
        self._of_answer = cache(self._find_of_answer)

    def answered(self, prediction: Prediction) -> None:
        """Count an answer."""
        scores, predictions = self._of_answer(prediction.feature_set, prediction.prediction)
        scores.observe(prediction.probability_paid_off)
        predictions.inc()

    def served(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a request."""
        latencies, requests = self._of_request(endpoint, status)
        latencies.observe(seconds)
        requests.inc()

    def _find_of_request(self, endpoint: str, status: int) -> tuple[Histogram, Counter]:
        return self.seconds.labels(endpoint), self.requests.labels(endpoint, status)

    def _find_of_answer(self, feature_set: str, prediction: str) -> tuple[Histogram, Counter]:
        return self.scores.labels(feature_set), self.predictions.labels(feature_set, prediction)

    def model_looked_at(self, feature_set: FeatureSet, status: ModelStatus) -> None:
        """Show what is served and whether the latest release was refused."""
        self.refused.labels(feature_set).set(1 if status.problem else 0)
        before = self._versions.get(feature_set)
        if status.version and status.version != before:
            if before:
                self.model.labels(feature_set, before).set(0)
            self.model.labels(feature_set, status.version).set(1)
            self._versions[feature_set] = status.version

    def text(self) -> bytes:
        """What a scrape gets."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        return generate_latest(everyone)
