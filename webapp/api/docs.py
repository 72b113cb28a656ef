"""The API's interactive description; its viewer is served by the app itself."""

from pathlib import Path

from flask import Blueprint, make_response, render_template
from flask.typing import ResponseReturnValue

docs = Blueprint("docs", __name__)

_VIEWER = Path(__file__).parents[1] / "static" / "vendor" / "swagger-ui-bundle.js"
# The viewer writes style elements and shows its icons from data addresses.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@docs.get("/api/docs")
def show() -> ResponseReturnValue:
    """The description, to read and to try."""
    response = make_response(render_template("docs.html", has_viewer=_VIEWER.exists()))
    response.headers["Content-Security-Policy"] = _POLICY
    return response
