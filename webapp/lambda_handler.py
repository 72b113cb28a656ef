"""The app on AWS Lambda, behind an HTTP API or a function URL (payload format 2.0).

Lambda freezes the process when it has answered and may never thaw it: LOAN_WEB_SHIPPING must be
`before_answer` there.
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
    return _answer()(event, context)


@cache
def _answer() -> Callable[[Event, object], dict[str, Any]]:
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
