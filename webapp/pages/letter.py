"""The letter to an applicant whom the model refused: the reasons as they were recorded."""

import logging
import sqlite3

from flask import Blueprint, abort, render_template

from loan_pipeline.contracts.features import FEATURES_BY_NAME
from webapp.app_state import app_state
from webapp.security.caller import visitor

logger = logging.getLogger(__name__)

letters = Blueprint("letters", __name__)


@letters.get("/letter/<prediction_id>")
def show(prediction_id: str) -> str:
    """A letter to print, for one of the visitor's own answers."""
    try:
        answer = app_state().predictions.find(visitor(), prediction_id)
    except sqlite3.Error as error:
        logger.warning("an answer cannot be read: %s", error)
        abort(503, "The record of answers cannot be read now. Try again later.")
    if answer is None:
        abort(404, "There is no such answer among those that this browser asked for.")
    if answer.referred:
        abort(404, "This request was referred to a person, who has to name their own reasons.")
    if answer.prediction != "not_paid_off":
        abort(404, "This answer was no refusal: there is no letter to it.")
    if not answer.principal_reasons:
        abort(404, "No single reason speaks against this applicant: a person must decide.")
    protected = [
        feature.label
        for name, feature in FEATURES_BY_NAME.items()
        if feature.protected and name in answer.features
    ]
    return render_template("letter.html", answer=answer, protected=protected)
