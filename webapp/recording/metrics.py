"""Prometheus metrics of one process: latency, errors, scores, model versions."""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.scoring.scorer import Prediction
from webapp.model_watch import ModelStatus

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_PROBABILITIES = tuple(n / 10 for n in range(1, 11))


class Metrics:
    """The app's metrics; one registry per app, so that several apps may live in one process."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        seconds = Histogram(
            "loan_request_seconds",
            "Time to answer a request.",
            ("endpoint",),
            registry=registry,
            buckets=_SECONDS,
        )
        requests = Counter(
            "loan_requests", "Requests answered.", ("endpoint", "status"), registry=registry
        )
        scores = Histogram(
            "loan_probability_paid_off",
            "Probabilities answered.",
            ("feature_set",),
            registry=registry,
            buckets=_PROBABILITIES,
        )
        predictions = Counter(
            "loan_predictions", "Answers given.", ("feature_set", "prediction"), registry=registry
        )
        # Each request counts four times: the library would check the same few labels again.
        self._seconds, self._requests = cache(seconds.labels), cache(requests.labels)
        self._scores, self._predictions = cache(scores.labels), cache(predictions.labels)
        self._referred = Counter(
            "loan_predictions_referred",
            "Answers that referred the request to a person.",
            ("feature_set",),
            registry=registry,
        )
        self._model = Gauge(
            "loan_model_in_use",
            "1 for the model version in use, 0 for those before it.",
            ("feature_set", "version"),
            registry=registry,
        )
        self._refused = Gauge(
            "loan_release_refused",
            "1 while the latest release cannot be used.",
            ("feature_set",),
            registry=registry,
        )
        self.lost = Counter(
            "loan_prediction_log_lost", "Answers given but not recorded.", registry=registry
        )
        self.unshipped = Gauge(
            "loan_prediction_log_unshipped",
            "Recorded answers that are not in the lake yet.",
            registry=registry,
        )
        self._versions: dict[FeatureSet, str] = {}

    def prediction_answered(self, prediction: Prediction) -> None:
        """Count an answer."""
        name = prediction.feature_set
        self._scores(name).observe(prediction.probability_paid_off)
        self._predictions(name, prediction.prediction).inc()
        if prediction.referral:
            self._referred.labels(name).inc()

    def referred(self, feature_set: FeatureSet) -> tuple[int, int]:
        """How many answers this process referred to a person, and how many it gave in all."""
        label: dict[str, str] = {"feature_set": feature_set}
        found = self._registry.get_sample_value("loan_predictions_referred_total", label)
        given = self._registry.get_sample_value("loan_probability_paid_off_count", label)
        return int(found or 0), int(given or 0)

    def request_answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._seconds(endpoint).observe(seconds)
        self._requests(endpoint, status).inc()

    def model_checked(self, feature_set: FeatureSet, status: ModelStatus) -> None:
        """Show what is served and whether the latest release was refused."""
        self._refused.labels(feature_set).set(1 if status.problem else 0)
        before = self._versions.get(feature_set)
        if status.version and status.version != before:
            if before:
                self._model.labels(feature_set, before).set(0)
            self._model.labels(feature_set, status.version).set(1)
            self._versions[feature_set] = status.version

    def text(self) -> bytes:
        """What a scrape gets."""
        return generate_latest(self._registry)
