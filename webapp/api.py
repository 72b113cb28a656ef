"""The JSON API. Fields and answers are described in `openapi`."""

import json

import orjson
from flask import Blueprint, Response, abort, g, request

from webapp import batch
from webapp.answering import answer, answer_batch
from webapp.jsontext import NotJson, as_json, parse_json
from webapp.openapi import description
from webapp.problems import problem
from webapp.security import demand_api_key
from webapp.services import services

api = Blueprint("api", __name__, url_prefix="/api/v1")
batch_api = Blueprint("batch_api", __name__, url_prefix="/api/v1")

CSV = "text/csv"
JSON_LINES = ("application/x-ndjson", "application/jsonl")


@api.get("/openapi.json")
def openapi() -> Response:
    """The API's description."""
    text = json.dumps(description(with_keys=bool(services().settings.web_api_keys)))
    return Response(text, mimetype="application/json")


@api.post("/predictions")
def predict() -> Response:
    """Score one request; those that are plain and right `express` has answered already."""
    demand_api_key(services().settings)
    if request.mimetype != "application/json":
        abort(415, "Send the fields as application/json.")
    try:
        body = parse_json(request.get_data(cache=False))
    except NotJson as error:
        return problem(400, f"The request {error}.")
    if not isinstance(body, dict):
        return problem(422, "The request must be one JSON object with the fields.")
    prediction = answer(services(), body, source="api", request_id=g.request_id)
    return Response(orjson.dumps(as_json(prediction)), mimetype="application/json")


@batch_api.post("/predictions/batch")
def predict_batch() -> Response:
    """Score many requests; a line that cannot be scored is answered with its problem."""
    demand_api_key(services().settings)
    if request.mimetype != CSV and request.mimetype not in JSON_LINES:
        abort(415, f"Send the lines as {CSV} or {JSON_LINES[0]}.")
    read = batch.read_csv if request.mimetype == CSV else batch.read_json_lines
    try:
        lines = read(request.get_data(cache=False))
    except batch.BatchTooLong as error:
        return problem(413, str(error))
    except batch.BatchRejected as error:
        return problem(422, str(error))
    answers = answer_batch([line.fields for line in lines])
    write = batch.write_csv if request.mimetype == CSV else batch.write_json_lines
    return Response(write(lines, answers), mimetype=request.mimetype)
