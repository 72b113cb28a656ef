"""Every error as an answer: problem+json (RFC 9457) for the API, a page for people."""

import json
import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import NotRequired

from flask import Flask, Response, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from typing_extensions import TypedDict  # pydantic wants it so below Python 3.12
from werkzeug.exceptions import (
    HTTPException,
    MethodNotAllowed,
    RequestEntityTooLarge,
    TooManyRequests,
)

from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.scoring.requests import InputRejected, Problem, UnknownAccount
from webapp.model_watch import NoModel
from webapp.recording.prediction_log import NotRecorded
from webapp.security.errors import NotAllowed, NotSignedIn, ProviderUnavailable, SignInRefused

logger = logging.getLogger(__name__)


class FieldProblem(TypedDict):
    """What is wrong with one field."""

    field: str
    message: str


class ProblemDocument(TypedDict):
    """An error of the API (RFC 9457); `errors` where it is about fields."""

    type: str
    title: str
    status: int
    detail: str
    request_id: NotRequired[str | None]
    errors: NotRequired[list[FieldProblem]]


PROBLEM_JSON = "application/problem+json"
_RETRY_SECONDS = "30"


def init_app(app: Flask) -> None:
    """Answer the errors of `app`."""
    app.register_error_handler(InputRejected, _input_rejected)
    app.register_error_handler(UnknownAccount, _unknown_account)
    app.register_error_handler(NoModel, _no_model)
    app.register_error_handler(NotRecorded, _not_recorded)
    app.register_error_handler(NotSignedIn, _not_signed_in)
    app.register_error_handler(NotAllowed, _not_allowed)
    app.register_error_handler(SignInRefused, _sign_in_refused)
    app.register_error_handler(ProviderUnavailable, _provider_unavailable)
    app.register_error_handler(LoanPipelineError, _own_error)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)


def problem(
    status: int, detail: str, *, title: str | None = None, errors: Iterable[Problem] = ()
) -> Response:
    """An error of the API."""
    body: ProblemDocument = {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": g.get("request_id"),
    }
    fields = [FieldProblem(field=error.field, message=error.message) for error in errors]
    if fields:
        body["errors"] = fields
    return Response(json.dumps(body), status, mimetype=PROBLEM_JSON)


def _answer(
    status: int,
    detail: str,
    *,
    title: str | None = None,
    errors: Iterable[Problem] = (),
    command: str | None = None,
    sign_in_url: str | None = None,
) -> Response:
    """An error for whom it is: data for the API and machines, a page for people.

    `command` is one that a person may run against it, `sign_in_url` where they sign in.
    """
    if request.path.startswith("/api/") or request.path in ("/healthz", "/readyz", "/metrics"):
        return problem(status, detail, title=title, errors=errors)
    title = title or HTTPStatus(status).phrase
    context = {"status": status, "title": title, "detail": detail, "command": command}
    context["sign_in_url"] = sign_in_url
    return make_response(render_template("error.html", **context), status)


def _input_rejected(error: InputRejected) -> Response:
    return _answer(422, str(error), title="The values cannot be scored", errors=error.problems)


def _unknown_account(error: UnknownAccount) -> Response:
    return _answer(404, str(error), title="Unknown account")


def _no_model(error: NoModel) -> Response:
    return _retry(_answer(503, str(error), title="No model to answer with", command="make run"))


def _not_recorded(error: NotRecorded) -> Response:
    return _retry(_answer(503, str(error), title="The answer cannot be recorded"))


def _not_signed_in(error: NotSignedIn) -> ResponseReturnValue:
    if error.sign_in_url and error.page_opened:
        return redirect(error.sign_in_url)
    title = "Sign-in needed"
    response = _answer(401, str(error), title=title, sign_in_url=error.sign_in_url)
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _not_allowed(error: NotAllowed) -> Response:
    return _answer(403, str(error), title="Not allowed")


def _sign_in_refused(error: SignInRefused) -> Response:
    logger.warning("sign-in refused: %s", error)
    again = url_for("sign_in.begin")
    return _answer(403, str(error), title="Sign-in refused", sign_in_url=again)


def _provider_unavailable(error: ProviderUnavailable) -> Response:
    logger.warning("sign-in failed: %s", error)
    return _retry(_answer(503, str(error), title="Sign-in does not work now"))


def _retry(response: Response) -> Response:
    response.headers["Retry-After"] = _RETRY_SECONDS
    return response


def _own_error(error: LoanPipelineError) -> Response:
    return _answer(500, str(error))


def _csrf(error: CSRFError) -> Response:
    detail = f"{error.description} Go back, reload the page and send the form again."
    return _answer(400, detail, title="The form is no longer valid")


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    detail = error.description or HTTPStatus(status).phrase
    if isinstance(error, RequestEntityTooLarge):
        detail = "The request is larger than this server accepts: send fewer rows at once."
    if isinstance(error, TooManyRequests):
        detail = f"One client may ask for {error.description}, and this one asked for more: wait."
    response = _answer(status, detail)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return _retry(response) if isinstance(error, TooManyRequests) else response
