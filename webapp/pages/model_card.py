"""The model card of what is served, from the bundle alone: a risk committee's first questions."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from flask import Blueprint, Response, abort, render_template, send_file, send_from_directory

from loan_pipeline.contracts.bundle import (
    APPROVAL_FILE,
    METRICS_FILE,
    VERDICT_FILE,
    Metric,
    release_key,
)
from loan_pipeline.contracts.currency import in_currency
from loan_pipeline.contracts.fairness import LOWEST_SELECTION_RATIO
from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FeatureSet
from loan_pipeline.lake.protocol import StoreError
from loan_pipeline.scoring.bundle import Bundle
from loan_pipeline.scoring.known_ground import known_label, known_text
from loan_pipeline.scoring.scorer import Scorer
from webapp.app_state import app_state
from webapp.model_watch import NoModel

model_page = Blueprint("model_page", __name__, url_prefix="/model")

SAMPLES = {
    "cross_validation": "Cross-validation: learned from some loans, tested on the others",
    "out_of_time": "Out of time: learned from earlier loans, tested on later ones",
}
# The first ones are shown, the others are folded.
METRICS = {
    "roc_auc": "ROC AUC: a bad loan ranks below a good one",
    "gini": "Gini: twice the ROC AUC, less one",
    "ks": "Kolmogorov-Smirnov: largest distance of good and bad",
    "average_precision": "Average precision, of finding bad loans",
    "brier": "Brier score: squared error of the probability",
    "balanced_accuracy": "Balanced accuracy at the threshold",
    "recall": "Bad loans found at the threshold",
    "precision": "Bad loans among those refused",
    "calibration_error": "Calibration error",
    "calibration_bias": "Calibration bias: mean probability less share paid off",
    "accuracy": "Accuracy",
    "f1": "F1, of bad loans",
    "mcc": "Matthews correlation",
    "specificity": "Good loans accepted",
}
MAIN_METRICS = tuple(METRICS)[:8]
# A picture must run nothing; Matplotlib styles its drawings inline.
_PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class DescribedModel:
    """A model in use.

    Attributes:
        report: the validation report; empty where the bundle has none.
        verdict: the gate's, as JSON; empty where the bundle has none.
        approval: who approved the release, when and why; None of one that needed no approval.
        referred: how many answers this process referred to a person, and how many it gave.
    """

    name: FeatureSet
    scorer: Scorer
    report: Mapping[str, Any]
    verdict: Mapping[str, Any]
    approval: Mapping[str, str] | None
    referred: tuple[int, int]


@model_page.get("")
def show() -> str:
    """Every model in use."""
    state = app_state()
    loaded, status = state.models.loaded(), state.models.status()
    if not loaded:
        for one in status.values():
            raise NoModel(f"There is no model to describe: {one.problem}")
    models = [
        DescribedModel(
            name,
            scorer,
            _json(scorer.bundle, METRICS_FILE),
            _json(scorer.bundle, VERDICT_FILE),
            _approval(scorer),
            state.metrics.referred(name),
        )
        for name, scorer in loaded.items()
    ]
    return render_template(
        "model.html",
        models=models,
        status=status,
        words=_words,
        samples=SAMPLES,
        metric_names=METRICS,
        split=_split,
        known_label=known_label,
        known_text=known_text,
        lowest_ratio=LOWEST_SELECTION_RATIO,
    )


def _json(bundle: Bundle, name: str) -> Mapping[str, Any]:
    if name not in bundle.manifest.files:
        return {}
    found: Mapping[str, Any] = json.loads((bundle.folder / name).read_bytes())
    return found


@model_page.get("/<feature_set>/pictures/<name>")
def picture(feature_set: str, name: str) -> Response:
    """One of the bundle's pictures."""
    bundle = _scorer(feature_set).bundle
    if name not in bundle.pictures:
        abort(404, "The model has no such picture.")
    svg = in_currency((bundle.folder / name).read_text(), app_state().settings.currency)
    response = send_file(BytesIO(svg.encode()), mimetype="image/svg+xml")
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
    return app_state().models.scorer(feature_set)


def _approval(scorer: Scorer) -> dict[str, str] | None:
    """Who approved the release and why; None where nobody had to, or it cannot be read."""
    manifest = scorer.manifest
    key = release_key(manifest.feature_set, manifest.version, APPROVAL_FILE)
    try:
        record = json.loads(app_state().store.read(key))
        return {name: str(record[name]) for name in ("by", "at", "note")}
    except (StoreError, ValueError, KeyError):
        return None


def _words(name: str) -> str:
    """A file's or metric's name as words."""
    return name.removesuffix(".svg").replace("_", " ").replace("-", " ").capitalize()


def _split(metrics: Mapping[str, Metric]) -> tuple[dict[str, Metric], dict[str, Metric]]:
    """The main metrics in the page's order, and the others."""
    main = {name: metrics[name] for name in MAIN_METRICS if name in metrics}
    return main, {name: metric for name, metric in metrics.items() if name not in main}
