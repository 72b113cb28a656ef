"""The API's OpenAPI description; what may be asked comes from the request models."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from loan_pipeline.scoring.requests import (
    ACCOUNT_FIELDS,
    AccountRequest,
    application_request,
)
from webapp.api.answers import PredictionAnswer
from webapp.batch.lines import MOST_LINES
from webapp.problems import ProblemDocument

Schema = dict[str, Any]
_REFERENCE = "#/components/schemas/{model}"


@cache
def description(application: tuple[str, ...], *, with_keys: bool) -> Schema:
    """The OpenAPI 3.1 document.

    Args:
        application: the fields that applications are asked for.
        with_keys: whether the API asks for a key.
    """
    document: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "Loan check",
            "version": "1",
            "description": "Will this loan be paid off? Errors are problem+json (RFC 9457).",
        },
        "paths": {
            "/api/v1/predictions": {"post": _predict(application)},
            "/api/v1/predictions/batch": {"post": _predict_batch(application)},
        },
        "components": {"schemas": _schemas(application)},
    }
    if with_keys:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
    return document


def _predict(application: Sequence[str]) -> Schema:
    return {
        "operationId": "predict",
        "summary": "Score one loan, by account or by application",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "oneOf": [_reference("AccountRequest"), _reference("ApplicationRequest")]
                    },
                    "examples": {
                        "account": {
                            "value": {"account_id": 1787, "amount": 96_000, "duration": 24}
                        },
                        "application": {"value": _example(application)},
                    },
                }
            },
        },
        "responses": {
            "200": {
                "description": "The answer.",
                "content": {"application/json": {"schema": _reference("PredictionAnswer")}},
            },
            **_problems("400", "401", "404", "413", "415", "422", "429", "503"),
        },
    }


def _predict_batch(application: Sequence[str]) -> Schema:
    return {
        "operationId": "predictBatch",
        "summary": "Score many loans, without reasons",
        "description": (
            f"CSV with a header of the field names in any order, at most {MOST_LINES:,} lines, "
            "separated by commas, semicolons, tabs or bars; answered in the same dialect. "
            "Each line is answered, in order, with a prediction or with its problem. The same in "
            "JSON lines, where they are sent as `application/x-ndjson`."
        ),
        "requestBody": {
            "required": True,
            "content": {
                "text/csv": {
                    "schema": {"anyOf": [_csv(ACCOUNT_FIELDS), _csv(application)]},
                    "example": "account_id,amount,duration\n1787,96000,24\n",
                }
            },
        },
        "responses": {
            "200": {
                "description": "One line per line, after a header.",
                "content": {"text/csv": {"schema": {"type": "string"}}},
            },
            **_problems("401", "413", "415", "422", "429", "503"),
        },
    }


def _csv(columns: Sequence[str]) -> Schema:
    cells = r"[A-Za-z0-9 .-]*"
    line = rf"\n[0-9]{{1,18}}(,{cells}){{{len(columns) - 1}}}"
    return {"type": "string", "pattern": f"^{','.join(columns)}({line})+$"}


_MEANINGS = {
    "400": "Not JSON.",
    "401": "No valid API key.",
    "404": "The account is not known.",
    "413": "Too large.",
    "415": "Another media type than described.",
    "422": "Values that cannot be scored; `errors` lists them by field.",
    "429": "Too many requests.",
    "503": "No model is released yet, or the answer cannot be recorded.",
}


def _problems(*statuses: str) -> Schema:
    content = {"application/problem+json": {"schema": _reference("ProblemDocument")}}
    return {status: {"description": _MEANINGS[status], "content": content} for status in statuses}


def _schemas(application: tuple[str, ...]) -> Schema:
    kinds = (
        AccountRequest,
        application_request(application),
        PredictionAnswer,
        ProblemDocument,
    )
    _, schemas = TypeAdapter.json_schemas(
        [(kind.__name__, "serialization", TypeAdapter(kind)) for kind in kinds],
        ref_template=_REFERENCE,
    )
    definitions: Schema = schemas["$defs"]
    return definitions


def _example(application: Sequence[str]) -> Schema:
    values = {
        "amount": 96_000,
        "duration": 24,
        "payments": 4_000,
        "account_age_days": 820,
        "statement_frequency": "POPLATEK MESICNE",
        "order_amount_mean_czk": 2_300,
        "transaction_amount_mean_czk": 5_300,
        "balance_mean_czk": 31_000,
        "transaction_count": 120,
        "card_type": "classic",
        "district_salary_mean_czk": 9_000,
        "gender": "F",
        "age_years": 41,
    }
    return {name: value for name, value in values.items() if name in application}


def _reference(name: str) -> Schema:
    return {"$ref": _REFERENCE.format(model=name)}
