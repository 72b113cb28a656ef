"""The browser's own latest answers."""

import logging
import sqlite3

from flask import Blueprint, render_template

from webapp.app_state import app_state
from webapp.recording.prediction_log import PastAnswer
from webapp.security.caller import visitor

logger = logging.getLogger(__name__)

history = Blueprint("history", __name__)

_SHOWN = 50  # answers


@history.get("/history")
def show() -> str:
    """The answers that the visitor asked for."""
    answers: list[PastAnswer] = []
    problem = None
    try:
        answers = app_state().predictions.recent(visitor(), _SHOWN)
    except sqlite3.Error as error:
        logger.warning("the history cannot be read: %s", error)
        problem = "The record of answers cannot be read now. Try again later."
    return render_template("history.html", answers=answers, limit=_SHOWN, problem=problem)
