"""JSON as callers send it: repeated fields are refused."""

import json
from typing import Any

from loan_pipeline.errors import LoanPipelineError


class NotJson(LoanPipelineError):
    """A text that is not JSON, or ambiguous."""


def parse_json(text: bytes) -> Any:
    """Read UTF-8 JSON in which no field is repeated.

    Raises:
        NotJson: it is something else.
    """
    try:
        return _decoder.decode(text.decode())
    except UnicodeDecodeError:
        raise NotJson("is not UTF-8") from None
    except RecursionError:
        raise NotJson("is nested too deeply") from None
    except ValueError as error:
        raise NotJson(f"is not JSON: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is given more than once")
    return found


_decoder = json.JSONDecoder(object_pairs_hook=_object)
