"""The app on AWS Lambda, behind an HTTP API or a function URL (payload format 2.0).

Lambda freezes the process when a response is returned and may never thaw it: what records an
answer is done before.
"""

import logging
import sqlite3
from collections.abc import Callable
from functools import cache
from typing import Any

from apig_wsgi import make_lambda_handler
from flask import Flask, Response

from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.protocol import StoreError
from loan_pipeline.settings import load_settings
from webapp.app import create_app
from webapp.app_state import EXTENSION, AppState
from webapp.recording.json_log import JsonFormatter
from webapp.recording.lake_copy import LakeCopy
from webapp.recording.prediction_log import NotRecorded

Event = dict[str, Any]

logger = logging.getLogger(__name__)


def handler(event: Event, context: object) -> dict[str, Any]:
    """Answer one request."""
    return _handle()(event, context)


@cache
def _handle() -> Callable[[Event, object], dict[str, Any]]:
    """The app, made with the first request: importing this module opens nothing."""
    _log_as_json()
    app = create_app(load_settings())
    copy_predictions_to_lake(app)
    return make_lambda_handler(app)


def _log_as_json() -> None:
    """Lambda puts a handler of its own on the root logger: it stays, with our lines."""
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    for one in root.handlers:
        one.setFormatter(JsonFormatter())


def copy_predictions_to_lake(app: Flask) -> None:
    """Have `app` write the records of its answers to the lake before it sends them.

    Where recording is required, an answer whose record the lake refuses is not given.
    """
    state: AppState = app.extensions[EXTENSION]
    copy = LakeCopy(state.predictions.path, open_store(state.settings.lake))

    @app.after_request
    def write(response: Response) -> Response:
        try:
            copy.write_new()
        except (StoreError, sqlite3.Error):
            # An alarm looks for these words.
            logger.exception("predictions were not written to the lake")
            if state.settings.web_recording == "required":
                return app.make_response(app.handle_user_exception(_refusal()))
            state.metrics.lost.inc()
        return response


def _refusal() -> NotRecorded:
    return NotRecorded(
        "The answer cannot be recorded in the lake, so none is given. The operator finds the cause "
        "in the log."
    )
