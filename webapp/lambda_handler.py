"""The app on AWS Lambda, behind an HTTP API or a function URL (payload format 2.0).

Lambda freezes the process when a response is returned and may never thaw it: what records an
answer is done before.
"""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from apig_wsgi import make_lambda_handler

from loan_pipeline.settings import load_settings
from webapp.app import create_app
from webapp.recording.json_log import JsonFormatter

Event = dict[str, Any]


def handler(event: Event, context: object) -> dict[str, Any]:
    """Answer one request."""
    return _handle()(event, context)


@cache
def _handle() -> Callable[[Event, object], dict[str, Any]]:
    """The app, made with the first request: importing this module opens nothing."""
    _log_as_json()
    settings = load_settings().model_copy(update={"web_shipping": "before_answer"})
    return make_lambda_handler(create_app(settings))


def _log_as_json() -> None:
    """Lambda puts a handler of its own on the root logger: it stays, with our lines."""
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    for one in root.handlers:
        one.setFormatter(JsonFormatter())
