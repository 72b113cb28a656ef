"""The express lane: a plain `POST /api/v1/predictions` answered before it comes to Flask.

Flask's way to a view and back, with hooks and session, takes as long as scoring. Whatever is not
plain, or goes wrong, is left to Flask's view as it came: there alone is told what was wrong.
"""

import io
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

import orjson

from loan_pipeline.errors import LoanPipelineError
from webapp.answering import answer
from webapp.jsontext import as_json, parse_json
from webapp.rate_limit import COUNTED, RateLimit
from webapp.security import holds_api_key
from webapp.services import Services
from webapp.telemetry import ENDPOINT, REQUEST_ID

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/api/v1/predictions"
VIEW = "api.predict"  # Flask's name of the same
_LONGEST_LENGTH = len("99999")  # bytes, many times what a plain request has

logger = logging.getLogger(__name__)


class Express:
    """Answers plain predictions itself and leaves all else to the app.

    Args:
        app: Flask's WSGI app.
        services: what requests share.
        limit: how much a client may ask; shared with the app.
    """

    def __init__(self, app: "WSGIApplication", services: Services, limit: RateLimit) -> None:
        self._app = app
        self._services = services
        self._limit = limit

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer, or let the app answer."""
        if environ["PATH_INFO"] == PATH and self._is_plain(environ):
            told = self._answer(environ)
            if told is not None:
                environ[ENDPOINT] = VIEW
                headers = [("Content-Type", "application/json"), ("Content-Length", str(len(told)))]
                start_response("200 OK", headers)
                return [told]
        return self._app(environ, start_response)

    def _is_plain(self, environ: "WSGIEnvironment") -> bool:
        length = environ.get("CONTENT_LENGTH", "")
        if not (
            environ["REQUEST_METHOD"] == "POST"
            and environ.get("CONTENT_TYPE") == "application/json"
            and length.isdecimal()
            and len(length) <= _LONGEST_LENGTH
            and holds_api_key(self._services.settings, environ)
        ):
            return False
        environ[COUNTED] = self._limit.allows(environ.get("REMOTE_ADDR", ""))
        return bool(environ[COUNTED])

    def _answer(self, environ: "WSGIEnvironment") -> bytes | None:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        try:
            fields = parse_json(body)
            if isinstance(fields, dict):
                prediction = answer(
                    self._services, fields, source="api", request_id=environ[REQUEST_ID]
                )
                return orjson.dumps(as_json(prediction))
        except LoanPipelineError:
            pass
        except Exception:
            logger.exception("the express lane failed, Flask's view is tried")
        environ["wsgi.input"] = io.BytesIO(body)
        return None
