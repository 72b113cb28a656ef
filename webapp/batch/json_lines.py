"""JSON lines: one request and one answer per line."""

from collections.abc import Mapping, Sequence

import orjson

from loan_pipeline.scoring.requests import InputRejected, Problem
from loan_pipeline.scoring.scorer import Prediction
from webapp.api.answers import line_answer
from webapp.api.json_text import NotJson, parse_json
from webapp.batch.lines import BatchRejected, Line, LineResult, check_length


def read_json_lines(data: bytes) -> list[Line]:
    """Read one JSON object per line.

    Raises:
        BatchRejected: not UTF-8, or no lines.
        BatchTooLong: too many lines.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BatchRejected(f"Line {line} is not UTF-8: send the lines as UTF-8.") from error
    lines: list[Line] = []
    for number, content in enumerate(text.split("\n"), start=1):
        if content.strip():
            check_length(len(lines))
            lines.append(Line(number, _fields(content), {}))
    if not lines:
        raise BatchRejected("There is no line.")
    return lines


def _fields(content: str) -> dict[str, object] | InputRejected:
    try:
        found = parse_json(content.encode())
    except NotJson as error:
        return InputRejected([Problem("line", str(error))])
    if isinstance(found, dict):
        return found
    return InputRejected([Problem("line", "is no JSON object")])


def write_json_lines(lines: Sequence[Line], answers: Sequence[LineResult]) -> bytes:
    """One JSON object per line: the answer, or `problem` and its fields."""
    return b"".join(
        orjson.dumps({"line": line.number, **_result(answer)}) + b"\n"
        for line, answer in zip(lines, answers, strict=True)
    )


def _result(answer: LineResult) -> Mapping[str, object]:
    if isinstance(answer, Prediction):
        return line_answer(answer)
    problems = answer.problems if isinstance(answer, InputRejected) else ()
    errors = [{"field": problem.field, "message": problem.message} for problem in problems]
    return {"problem": str(answer), "errors": errors}
