"""The two forms and their answer."""

from flask import Blueprint, Response, jsonify, render_template, request

from loan_pipeline.contracts.currency import in_currency
from loan_pipeline.contracts.features import FEATURES_BY_NAME
from loan_pipeline.scoring.requests import InputRejected, UnknownAccount
from loan_pipeline.scoring.text import reason_text
from webapp.app_state import app_state
from webapp.pages.forms import AccountForm, RequestForm, application_form
from webapp.score_requests import other_terms, score, scorer_for
from webapp.security.caller import visitor

pages = Blueprint("pages", __name__)

Page = str | tuple[str, int]
_UNPROCESSABLE = 422
# Of those that the model has: what lets a clerk see whether it is the account that was meant.
_SHOWN_OF_ACCOUNT = ("statement_frequency", "card_type", "balance_last_czk")


@pages.route("/", methods=["GET", "POST"])
def by_account() -> Page:
    """The form by account, and its answer."""
    app_state().models.scorer("behavioural")
    return _form_page(AccountForm(), "account.html")


@pages.route("/application", methods=["GET", "POST"])
def by_application() -> Page:
    """The form by the application's own fields, and its answer."""
    scorer = app_state().models.scorer("application")
    reference = {
        known.name: FEATURES_BY_NAME[known.name].decode(known.baseline)
        for known in scorer.manifest.features
        if known.baseline is not None
    }
    form = application_form(scorer.names)()
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
    scorer = scorer_for(values)  # one for the whole page, whatever is released meanwhile
    answer = score(scorer, values, source="form", visitor=visitor())
    durations, table = other_terms(scorer, values)
    return render_template(
        "answer.html",
        values=values,
        payment=values["amount"] / values["duration"],  # type: ignore[operator] # it was scored
        prediction=answer.prediction,
        prediction_id=answer.prediction_id,
        loss_given_default=scorer.loss_given_default,
        as_of=scorer.manifest.as_of,
        durations=durations,
        scenarios=table,
        bounds={name: _bounds(name) for name in ("amount", "duration")},
    )


def _bounds(name: str) -> tuple[str, str]:
    feature = FEATURES_BY_NAME[name]
    return f"{feature.minimum:.0f}", f"{feature.maximum:.0f}"


@pages.get("/accounts/<int:account_id>")
def account(account_id: int) -> Response:
    """What the form shows about an account while its number is typed."""
    scorer = app_state().models.scorer("behavioural")
    try:
        found = scorer.account_features(account_id)
    except (UnknownAccount, OverflowError):
        return jsonify(known=False, text=f"Account {account_id} is not known.")
    features = (FEATURES_BY_NAME[name] for name in _SHOWN_OF_ACCOUNT if name in found)
    facts = (reason_text(feature, feature.decode(found[feature.name])) for feature in features)
    text = in_currency("; ".join(facts), app_state().settings.currency)
    return jsonify(known=True, text=f"Account {account_id}: {text}.")
