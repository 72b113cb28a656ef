"""The two forms and their answer."""

import secrets

from flask import Blueprint, Response, jsonify, render_template, request, session

from loan_pipeline.contracts.features import APPLICATION_FEATURES, FEATURES_BY_NAME
from loan_pipeline.scoring.requests import InputRejected, UnknownAccount
from loan_pipeline.scoring.text import code_label
from webapp.app_state import app_state
from webapp.pages.forms import AccountForm, ApplicationForm, RequestForm
from webapp.score_requests import feature_set_for, other_terms, score

pages = Blueprint("pages", __name__)

Page = str | tuple[str, int]
_UNPROCESSABLE = 422
_DAYS_PER_YEAR = 365.25


@pages.route("/", methods=["GET", "POST"])
def by_account() -> Page:
    """The form by account, and its answer."""
    app_state().models.scorer("behavioural")
    return _form_page(AccountForm(), "account.html")


@pages.route("/application", methods=["GET", "POST"])
def by_application() -> Page:
    """The form by the application's own fields, and its answer."""
    manifest = app_state().models.scorer("application").manifest
    reference = {
        feature.name: feature.decode(known.baseline)
        for feature, known in zip(APPLICATION_FEATURES, manifest.features, strict=True)
        if known.baseline is not None
    }
    form = ApplicationForm()
    if request.method == "GET" and "example" in request.args:
        form.fill_in(reference)
    return _form_page(form, "application.html", reference=reference)


def _form_page(form: RequestForm, template: str, **context: object) -> Page:
    if request.method == "GET":
        return render_template(template, form=form, **context)
    values = form.values()
    try:
        return _answer_page(values)
    except InputRejected as rejected:
        form.show(rejected)
    except UnknownAccount as unknown:
        form.show_at("account_id", str(unknown))
    return render_template(template, form=form, **context), _UNPROCESSABLE


def _answer_page(values: dict[str, object]) -> str:
    prediction = score(values, source="form", visitor=_visitor())
    durations, table = other_terms(values)
    return render_template(
        "answer.html",
        values=values,
        payment=values["amount"] / values["duration"],  # type: ignore[operator] # it was scored
        prediction=prediction,
        as_of=app_state().models.scorer(feature_set_for(values)).manifest.as_of,
        durations=durations,
        scenarios=table,
        bounds={name: _bounds(name) for name in ("amount", "duration")},
    )


def _bounds(name: str) -> tuple[str, str]:
    feature = FEATURES_BY_NAME[name]
    return f"{feature.minimum:.0f}", f"{feature.maximum:.0f}"


def _visitor() -> str:
    if "visitor" not in session:
        session["visitor"] = secrets.token_hex(8)
    return str(session["visitor"])


@pages.get("/accounts/<int:account_id>")
def account(account_id: int) -> Response:
    """What the form shows about an account while its number is typed."""
    scorer = app_state().models.scorer("behavioural")
    try:
        found = scorer.account_features(account_id)
    except (UnknownAccount, OverflowError):
        return jsonify(known=False, text=f"Account {account_id} is not known.")
    years = found["account_age_days"] / _DAYS_PER_YEAR
    code = FEATURES_BY_NAME["statement_frequency"].decode(found["statement_frequency"])
    frequency = code_label(str(code))
    text = f"Account {account_id}: held for {years:.1f} years, statements {frequency}."
    return jsonify(known=True, text=text)
