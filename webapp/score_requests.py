"""From a request's fields to a recorded answer, the same way for pages, API and batches."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from flask import g

from loan_pipeline.contracts.currency import CONTRACTS_CURRENCY, in_currency
from loan_pipeline.contracts.features import FEATURES_BY_NAME, FeatureSet
from loan_pipeline.scoring.requests import APPLICATION_FIELDS, InputRejected, UnknownAccount
from loan_pipeline.scoring.scorer import Prediction, Row, Scorer
from webapp.app_state import AppState, app_state
from webapp.batch.lines import Line
from webapp.recording.prediction_log import Answer, NotRecorded
from webapp.recording.request_log import seconds_so_far
from webapp.recording.shipping import NotShipped
from webapp.security.access import demand
from webapp.security.caller import current_caller

logger = logging.getLogger(__name__)

Fields = Mapping[str, object]
_DURATIONS = (12, 24, 36, 48, 60)
_SHARES_OF_AMOUNT = (0.5, 0.75, 1.0, 1.25, 1.5)


def scorer_for(fields: Fields) -> Scorer:
    """The model that a request is for: by account, or by the application's fields.

    Raises:
        NotSignedIn, NotAllowed: the caller may not look accounts up.
        NoModel: nothing is released.
    """
    name = _feature_set_for(fields)
    if name == "behavioural":
        demand("look_up_accounts")
    return app_state().models.scorer(name)


def _feature_set_for(fields: Fields) -> FeatureSet:
    return "behavioural" if "account_id" in fields else "application"


def application_fields() -> tuple[str, ...]:
    """What applications are asked for: what the model in use was made with, else all fields."""
    scorer = app_state().models.loaded().get("application")
    return APPLICATION_FIELDS if scorer is None else scorer.names


def score(scorer: Scorer, fields: Fields, *, source: str, visitor: str | None = None) -> Answer:
    """Score one request with its reasons, and record the answer.

    Raises:
        InputRejected: a field is missing, unknown, of the wrong kind or out of bounds.
        UnknownAccount: the model does not know the account.
        NotRecorded: the answer cannot be recorded, and must be.
    """
    state = app_state()
    row = scorer.request_row(fields)
    prediction = _in_currency(scorer.explain(row), state.settings.currency)
    answer = Answer(prediction, fields, scorer.named(row))
    _record(state, [answer], source, visitor)
    return answer


def score_batch(
    lines: Sequence[Line], *, record: bool = True
) -> list[Prediction | InputRejected | UnknownAccount]:
    """Score many requests without reasons; what cannot be scored comes back as its error.

    Args:
        lines: requests by field, or why they cannot be read.
        record: False for a preview.

    Raises:
        NotSignedIn, NotAllowed: the caller may not look accounts up.
        NoModel: nothing is released for a feature set that the batch needs.
        NotRecorded: the answers cannot be recorded, and must be.
    """
    state = app_state()
    answers: list[Prediction | InputRejected | UnknownAccount | None] = [None] * len(lines)
    scorers: dict[FeatureSet, Scorer] = {}  # a release in the middle of a batch waits for the next
    rows: dict[FeatureSet, list[tuple[int, Fields, Row]]] = {}
    for index, line in enumerate(lines):
        fields = line.fields
        if isinstance(fields, InputRejected):
            answers[index] = fields
            continue
        name = _feature_set_for(fields)
        if name not in scorers:
            scorers[name] = scorer_for(fields)
        try:
            row = scorers[name].request_row(fields)
        except (InputRejected, UnknownAccount) as error:
            answers[index] = error
        else:
            rows.setdefault(name, []).append((index, fields, row))
    recorded = []
    for name, indexed in rows.items():
        scorer = scorers[name]
        scored = scorer.score_batch([row for _, _, row in indexed])
        for (index, asked, row), one in zip(indexed, scored, strict=True):
            answers[index] = prediction = _in_currency(one, state.settings.currency)
            recorded.append(Answer(prediction, asked, scorer.named(row), lines[index].number))
    if record and recorded:
        _record(state, recorded, "batch", None)
    return [answer for answer in answers if answer is not None]


def _record(state: AppState, answers: Sequence[Answer], source: str, visitor: str | None) -> None:
    state.predictions.record(
        answers,
        source=source,
        request_id=g.request_id,
        milliseconds=1000 * seconds_so_far(),
        visitor=visitor,
        caller=current_caller().logged_name,
    )
    if state.settings.web_shipping == "before_answer":
        _ship(state, len(answers))
    for answer in answers:
        state.metrics.prediction_answered(answer.prediction)


def _ship(state: AppState, answers: int) -> None:
    try:
        state.shipper.ship_now()
    except NotShipped as error:
        # An alarm looks for these words.
        logger.exception("predictions were not written to the lake")
        if state.settings.web_recording == "required":
            raise NotRecorded(
                "The answer cannot be recorded in the lake, so none is given. The operator finds "
                "the cause in the server's log."
            ) from error
        state.metrics.lost.inc(answers)


def _in_currency(prediction: Prediction, currency: str) -> Prediction:
    """The prediction with the bank's currency in its words."""
    if currency == CONTRACTS_CURRENCY:
        return prediction
    return replace(
        prediction,
        referral=tuple(
            replace(one, text=in_currency(one.text, currency)) for one in prediction.referral
        ),
        principal_reasons=tuple(
            replace(one, text=in_currency(one.text, currency))
            for one in prediction.principal_reasons
        ),
    )


def other_terms(
    scorer: Scorer, fields: Fields
) -> tuple[list[int], list[tuple[int, list[Prediction | None]]]]:
    """What other terms would be answered: nothing is recorded.

    Returns:
        Durations in months; amounts, each with its answers by duration, None where the terms are
        out of bounds.
    """
    asked_amount, asked_duration = (_number(fields[name]) for name in ("amount", "duration"))
    amounts = sorted({_within_bounds(asked_amount * share) for share in _SHARES_OF_AMOUNT})
    durations = sorted({*_DURATIONS, int(asked_duration)})
    rows: list[Row] = []
    cells: list[tuple[int, int]] = []
    for amount in amounts:
        for duration in durations:
            other = {**fields, "amount": amount, "duration": duration}
            other.pop("payments", None)
            try:
                rows.append(scorer.request_row(other))
            except InputRejected:
                continue
            cells.append((amount, duration))
    currency = app_state().settings.currency
    answers = [_in_currency(one, currency) for one in scorer.score_batch(rows)]
    known = dict(zip(cells, answers, strict=True))
    table = [(amount, [known.get((amount, months)) for months in durations]) for amount in amounts]
    return durations, table


def _within_bounds(amount: float) -> int:
    limits = FEATURES_BY_NAME["amount"]
    return int(min(max(round(amount), limits.minimum), limits.maximum))


def _number(value: object) -> float:
    assert isinstance(value, (int, float))  # noqa: S101 - it was scored already
    return float(value)
