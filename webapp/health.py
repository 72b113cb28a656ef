"""What machines ask: is it alive, is it ready, how does it do."""

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST

from webapp.services import services
from webapp.telemetry import access_log

health = Blueprint("health", __name__)


@health.get("/healthz")
def healthz() -> Response:
    """Alive: the process answers."""
    return jsonify(status="alive")


@health.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Ready: every feature set has a model to answer with; refused releases are told, too."""
    models = {
        name: {
            "version": status.version,
            "problem": status.problem,
            "checked_at": status.checked_at and status.checked_at.isoformat(timespec="seconds"),
        }
        for name, status in services().models.status().items()
    }
    ready = all(model["version"] for model in models.values())
    body = jsonify(status="ready" if ready else "not ready", models=models)
    return body, 200 if ready else 503


@health.get("/metrics")
def metrics() -> Response:
    """Prometheus metrics."""
    access_log.write()  # count what waits
    return Response(services().metrics.text(), content_type=CONTENT_TYPE_LATEST)
