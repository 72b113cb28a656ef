"""The pages people use: the two forms, the answer, the history."""

import logging
import secrets
import sqlite3

from flask import Blueprint, Response, g, jsonify, render_template, request, session
from werkzeug.wrappers import Response as BaseResponse

from loan_pipeline.contracts.features import APPLICATION_FEATURES
from loan_pipeline.scoring.inputs import InputRejected, UnknownAccount
from loan_pipeline.scoring.text import code_label
from webapp.answering import answer, feature_set_for, scenarios
from webapp.forms import AccountForm, ApplicationForm, ContractForm
from webapp.prediction_log import LoggedAnswer
from webapp.services import services

logger = logging.getLogger(__name__)

pages = Blueprint("pages", __name__)

Page = str | tuple[str, int] | BaseResponse
UNPROCESSABLE = 422
_HISTORY = 50  # answers


@pages.route("/", methods=["GET", "POST"])
def by_account() -> Page:
    """The form by account, and its answer."""
    services().models.scorer("behavioural")
    return _form_page(AccountForm(), "account.html")


@pages.route("/application", methods=["GET", "POST"])
def by_application() -> Page:
    """The form by the application's own fields, and its answer."""
    manifest = services().models.scorer("application").manifest
    typical = {
        feature.name: feature.decode(known.baseline)
        for feature, known in zip(APPLICATION_FEATURES, manifest.features, strict=True)
        if known.baseline is not None
    }
    form = ApplicationForm()
    if request.method == "GET" and "example" in request.args:
        form.fill_in(typical)
    return _form_page(form, "application.html", typical=typical)


def _form_page(form: ContractForm, template: str, **context: object) -> Page:
    if request.method == "GET":
        return render_template(template, form=form, **context)
    values = form.values()
    try:
        return _answer_page(values)
    except InputRejected as rejected:
        form.show(rejected)
    except UnknownAccount as unknown:
        form.show_at("account_id", str(unknown))
    return render_template(template, form=form, **context), UNPROCESSABLE


def _answer_page(values: dict[str, object]) -> str:
    prediction = answer(
        services(), values, source="form", request_id=g.request_id, visitor=_visitor()
    )
    durations, table = scenarios(values)
    return render_template(
        "answer.html",
        values=values,
        payment=values["amount"] / values["duration"],  # type: ignore[operator] # it was scored
        prediction=prediction,
        as_of=services().models.scorer(feature_set_for(values)).manifest.as_of,
        durations=durations,
        scenarios=table,
    )


def _visitor() -> str:
    if "visitor" not in session:
        session["visitor"] = secrets.token_hex(8)
    return str(session["visitor"])


@pages.get("/accounts/<int:account_id>")
def account(account_id: int) -> Response:
    """What the form tells about an account while its number is typed."""
    scorer = services().models.scorer("behavioural")
    try:
        found = scorer.account_features(account_id)
    except (UnknownAccount, OverflowError):
        return jsonify(known=False, text=f"Account {account_id} is not known.")
    years = found["account_age_days"] / 365.25
    frequency = code_label(_code("statement_frequency", found["statement_frequency"]))
    text = f"Account {account_id}: held for {years:.1f} years, statements {frequency}."
    return jsonify(known=True, text=text)


def _code(name: str, number: float) -> str:
    (feature,) = (f for f in APPLICATION_FEATURES if f.name == name)
    return str(feature.decode(number))


@pages.get("/history")
def history() -> Page:
    """The browser's own latest answers."""
    visitor = session.get("visitor")
    answers: list[LoggedAnswer] = []
    problem = None
    try:
        if visitor:
            answers = services().log.recent(str(visitor), _HISTORY)
    except sqlite3.Error as error:
        logger.warning("the history cannot be read: %s", error)
        problem = (
            "The record of answers cannot be read just now; new answers are given all the same."
        )
    return render_template("history.html", answers=answers, limit=_HISTORY, problem=problem)
