"""What machines ask: is it alive, is it ready, the metrics."""

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST

from webapp.app_state import app_state

health = Blueprint("health", __name__)


@health.get("/healthz")
def healthz() -> Response:
    """Alive: the process answers."""
    return jsonify(status="alive")


@health.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Ready: every feature set has a model, and the server is not about to stop."""
    state = app_state()
    models = {
        name: {
            "version": status.version,
            "problem": status.problem,
            "checked_at": status.checked_at and status.checked_at.isoformat(timespec="seconds"),
        }
        for name, status in state.models.status().items()
    }
    if state.draining.is_set():
        status = "stopping"
    else:
        status = "ready" if all(model["version"] for model in models.values()) else "not ready"
    return jsonify(status=status, models=models), 200 if status == "ready" else 503


@health.get("/metrics")
def metrics() -> Response:
    """Prometheus metrics."""
    return Response(app_state().metrics.text(), content_type=CONTENT_TYPE_LATEST)
