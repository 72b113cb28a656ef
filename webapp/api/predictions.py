"""The JSON API's views. Fields and answers are described in `openapi`."""

import json

import orjson
from flask import Blueprint, Response, abort, request

from loan_pipeline.contracts.currency import in_currency
from webapp.api.answers import prediction_answer
from webapp.api.json_text import NotJson, parse_json
from webapp.api.openapi import description
from webapp.app_state import app_state
from webapp.batch.csv_file import read_csv, write_csv
from webapp.batch.json_lines import read_json_lines, write_json_lines
from webapp.batch.lines import BatchRejected, BatchTooLong
from webapp.problems import problem
from webapp.score_requests import application_fields, score, score_batch, scorer_for
from webapp.security.access import current_policy

api = Blueprint("api", __name__, url_prefix="/api/v1")

CSV = "text/csv"
JSON_LINES = ("application/x-ndjson", "application/jsonl")


@api.get("/openapi.json")
def openapi() -> Response:
    """The API's description."""
    settings = app_state().settings
    with_keys = current_policy().api_needs_key
    text = json.dumps(description(application_fields(), with_keys=with_keys))
    return Response(in_currency(text, settings.currency), mimetype="application/json")


@api.post("/predictions")
def predict() -> Response:
    """Score one request."""
    if request.mimetype != "application/json":
        abort(415, "Send the fields as application/json.")
    try:
        body = parse_json(request.get_data(cache=False))
    except NotJson as error:
        return problem(400, f"The request {error}.")
    if not isinstance(body, dict):
        return problem(422, "The request must be one JSON object with the fields.")
    answer = score(scorer_for(body), body, source="api")
    return Response(orjson.dumps(prediction_answer(answer.prediction)), mimetype="application/json")


@api.post("/predictions/batch")
def predict_batch() -> Response:
    """Score many requests; a line that cannot be scored is answered with its problem."""
    if request.mimetype != CSV and request.mimetype not in JSON_LINES:
        abort(415, f"Send the lines as {CSV} or {JSON_LINES[0]}.")
    data = request.get_data(cache=False)
    try:
        if request.mimetype == CSV:
            batch = read_csv(data, application_fields())
            answers = write_csv(batch, score_batch(batch.lines))
        else:
            lines = read_json_lines(data)
            answers = write_json_lines(lines, score_batch(lines))
    except BatchTooLong as error:
        return problem(413, str(error))
    except BatchRejected as error:
        return problem(422, str(error))
    return Response(answers, mimetype=request.mimetype)
