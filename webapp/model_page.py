"""The model page: a model card of what is served, from the bundle alone."""

from collections.abc import Mapping

from flask import Blueprint, Response, abort, render_template, send_from_directory

from loan_pipeline.contracts.bundle import METRICS_FILE, Metric
from loan_pipeline.contracts.features import FEATURE_SET_NAMES
from loan_pipeline.scoring.scorer import Scorer
from webapp.model_watch import NoModel
from webapp.services import services

model_page = Blueprint("model_page", __name__, url_prefix="/model")

SAMPLES = {
    "cross_validation": "Repeated cross-validation",
    "out_of_time": "Out of time: learned from earlier loans, tested on later ones",
}
METRICS = {
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Accuracy",
    "brier": "Brier score",
    "recall_bad": "Bad loans found",
    "precision_bad": "Bad among those found",
}
# A picture must not run anything either; Matplotlib styles its drawings inline.
_PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@model_page.get("")
def show() -> str:
    """Every model in use."""
    models = services().models.loaded()
    if not models:
        for status in services().models.status().values():
            raise NoModel(f"There is no model to describe: {status.problem}")
    return render_template(
        "model.html",
        models=models,
        status=services().models.status(),
        words=_words,
        samples=SAMPLES,
        metric_names=METRICS,
        scale=_scale,
    )


@model_page.get("/<feature_set>/pictures/<name>")
def picture(feature_set: str, name: str) -> Response:
    """One of the bundle's pictures."""
    bundle = _scorer(feature_set).bundle
    if name not in bundle.pictures:
        abort(404, "The model has no such picture.")
    response = send_from_directory(bundle.folder.absolute(), name, mimetype="image/svg+xml")
    response.headers["Content-Security-Policy"] = _PICTURE_POLICY
    return response


@model_page.get("/<feature_set>/metrics.json")
def metrics(feature_set: str) -> Response:
    """The whole validation report."""
    bundle = _scorer(feature_set).bundle
    if METRICS_FILE not in bundle.manifest.files:
        abort(404, "The model has no validation report.")
    return send_from_directory(bundle.folder.absolute(), METRICS_FILE, mimetype="application/json")


def _scorer(feature_set: str) -> Scorer:
    if feature_set not in FEATURE_SET_NAMES:
        abort(404, "There is no such model.")
    return services().models.scorer(feature_set)


def _words(name: str) -> str:
    """A file's or metric's name as words."""
    return name.removesuffix(".svg").replace("_", " ").replace("-", " ").capitalize()


def _scale(metrics: Mapping[str, Metric]) -> bool:
    """Whether all of a sample's metrics lie between 0 and 1, so that they can be drawn."""
    return all(m.low >= 0 and m.high <= 1 for m in metrics.values())
