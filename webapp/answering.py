"""From a request's fields to a recorded answer, the same way for pages, API and batches."""

from collections.abc import Mapping, Sequence

import numpy as np
from flask import g

from loan_pipeline.contracts.features import FEATURES_BY_NAME, FeatureSet
from loan_pipeline.scoring.inputs import InputRejected, UnknownAccount
from loan_pipeline.scoring.scorer import Prediction, Row, Scorer
from webapp.services import Services, services

Fields = Mapping[str, object]
_DURATIONS = (12, 24, 36, 48, 60)
_SHARES_OF_AMOUNT = (0.5, 0.75, 1.0, 1.25, 1.5)


def feature_set_for(fields: Fields) -> FeatureSet:
    """Which model a request is for: by account, or by the application's fields."""
    return "behavioural" if "account_id" in fields else "application"


def answer(
    shared: Services, fields: Fields, *, source: str, request_id: str, visitor: str | None = None
) -> Prediction:
    """Score one request with its reasons, and record the answer.

    Raises:
        InputRejected: a field is missing, unknown, of the wrong kind or out of bounds.
        UnknownAccount: the model does not know the account.
        NoModel: nothing is released.
    """
    scorer = shared.models.scorer(feature_set_for(fields))
    prediction = scorer.explain(scorer.request_row(fields))
    shared.metrics.answered(prediction)
    shared.log.record(prediction, fields, source=source, request_id=request_id, visitor=visitor)
    return prediction


def answer_batch(
    batch: Sequence[Fields | InputRejected], *, record: bool = True
) -> list[Prediction | InputRejected | UnknownAccount]:
    """Score many requests without reasons; what cannot be scored comes back as its error.

    Args:
        batch: requests by field, or why they cannot be read.
        record: False while people only look at what they are about to get.

    Raises:
        NoModel: nothing is released for a feature set that the batch needs.
    """
    shared = services()
    answers: list[Prediction | InputRejected | UnknownAccount | None] = [None] * len(batch)
    rows: dict[FeatureSet, list[tuple[int, Row]]] = {}
    scorers: dict[FeatureSet, Scorer] = {}
    for index, fields in enumerate(batch):
        if isinstance(fields, InputRejected):
            answers[index] = fields
            continue
        name = feature_set_for(fields)
        if name not in scorers:
            scorers[name] = shared.models.scorer(name)
        try:
            rows.setdefault(name, []).append((index, scorers[name].request_row(fields)))
        except (InputRejected, UnknownAccount) as error:
            answers[index] = error
    for name, indexed in rows.items():
        scored = scorers[name].score_batch([row for _, row in indexed])
        for (index, _), prediction in zip(indexed, scored, strict=True):
            fields = batch[index]
            assert not isinstance(fields, InputRejected)  # noqa: S101 - tells the types
            if record:
                shared.metrics.answered(prediction)
                shared.log.record(prediction, fields, source="batch", request_id=g.request_id)
            answers[index] = prediction
    return [found for found in answers if found is not None]


def scenarios(fields: Fields) -> tuple[list[int], list[tuple[int, list[float | None]]]]:
    """What other terms would score: nothing is recorded.

    Returns:
        Durations in months; amounts in CZK, each with its probabilities by duration, None where
        the terms are out of bounds.
    """
    scorer = services().models.scorer(feature_set_for(fields))
    asked_amount, asked_duration = (_number(fields[name]) for name in ("amount", "duration"))
    amounts = sorted({_rounded(asked_amount * share) for share in _SHARES_OF_AMOUNT})
    durations = sorted({*_DURATIONS, int(asked_duration)})
    rows: list[Row] = []
    places: list[tuple[int, int]] = []
    for amount in amounts:
        for duration in durations:
            other = {**fields, "amount": amount, "duration": duration}
            other.pop("payments", None)
            try:
                rows.append(scorer.request_row(other))
            except InputRejected:
                continue
            places.append((amount, duration))
    known: dict[tuple[int, int], float] = {}
    if rows:
        known = dict(zip(places, scorer.probabilities(np.stack(rows)).tolist(), strict=True))
    table = [(amount, [known.get((amount, months)) for months in durations]) for amount in amounts]
    return durations, table


def _rounded(amount: float) -> int:
    limits = FEATURES_BY_NAME["amount"]
    return int(min(max(round(amount), limits.minimum), limits.maximum))


def _number(value: object) -> float:
    assert isinstance(value, (int, float))  # noqa: S101 - it was scored already
    return float(value)
