"""Batches as text: CSV and JSON lines read into requests, answers written back. No scoring here."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from loan_pipeline.contracts.features import APPLICATION_FEATURES, FEATURES_BY_NAME
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.scoring.inputs import ACCOUNT_FIELDS, InputRejected, Problem
from loan_pipeline.scoring.scorer import Prediction
from webapp.jsontext import NotJson, as_json, parse_json
from webapp.numerals import number_or_text

MOST_LINES = 10_000
APPLICATION_FIELDS = tuple(feature.name for feature in APPLICATION_FEATURES)
RESULT_COLUMNS = ("prediction", "probability_paid_off", "threshold", "model_version", "problem")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_EXAMPLES: dict[str, str] = {
    "account_id": "1787",
    "amount": "96000",
    "duration": "24",
    "payments": "4000",
}


class BatchRejected(LoanPipelineError):
    """A batch that cannot be read at all."""


class BatchTooLong(BatchRejected):
    """More lines than are scored at once."""


@dataclass(frozen=True)
class Line:
    """One request of a batch.

    Attributes:
        number: the line in the file, from 1.
        fields: what is asked, or why it cannot be read.
        cells: the text as it came, by column.
    """

    number: int
    fields: dict[str, object] | InputRejected
    cells: dict[str, str]


Answer = Prediction | LoanPipelineError


def read_csv(data: bytes) -> list[Line]:
    """Read a CSV file: comma or semicolon, with a header of the API's field names.

    Raises:
        BatchRejected: not UTF-8, not CSV, columns that do not fit, no lines.
        BatchTooLong: more than `MOST_LINES` lines.
    """
    text = _text(data)
    first = text.split("\n", 1)[0]
    separator = ";" if ";" in first and "," not in first else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[Line] = []
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(header)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                _check_length(len(lines))
                lines.append(_line(reader.line_num, header, cells))
    except csv.Error as error:
        raise BatchRejected(f"Line {reader.line_num} is not CSV: {error}.") from error
    if not lines:
        raise BatchRejected("There is no line below the header.")
    return lines


def read_json_lines(data: bytes) -> list[Line]:
    """Read one JSON object per line; raises as `read_csv`."""
    lines: list[Line] = []
    for number, text in enumerate(_text(data).split("\n"), start=1):
        if not text.strip():
            continue
        _check_length(len(lines))
        fields: dict[str, object] | InputRejected
        try:
            found = parse_json(text.encode())
        except NotJson as error:
            fields = InputRejected([Problem("line", str(error))])
        else:
            is_object = isinstance(found, dict)
            fields = found if is_object else InputRejected([Problem("line", "is no JSON object")])
        lines.append(Line(number, fields, {}))
    if not lines:
        raise BatchRejected("There is no line.")
    return lines


def write_csv(lines: Sequence[Line], answers: Sequence[Answer]) -> str:
    """The lines as they came, each with its answer or its problem."""
    out = io.StringIO(newline="")
    columns = list(lines[0].cells)
    writer = csv.writer(out)
    writer.writerow(["line", *columns, *RESULT_COLUMNS])
    for line, answer in zip(lines, answers, strict=True):
        cells = [_harmless(line.cells.get(name, "")) for name in columns]
        writer.writerow([line.number, *cells, *_result(answer)])
    return out.getvalue()


def write_json_lines(lines: Sequence[Line], answers: Sequence[Answer]) -> str:
    """One JSON object per line: the answer, or `problem` and its fields."""
    return "".join(
        orjson.dumps({"line": line.number, **_json_result(answer)}).decode() + "\n"
        for line, answer in zip(lines, answers, strict=True)
    )


def template(columns: Iterable[str]) -> str:
    """A CSV file with the header and one line to overwrite."""
    names = list(columns)
    examples = []
    for name in names:
        codes = FEATURES_BY_NAME[name].codes if name in FEATURES_BY_NAME else ()
        examples.append(_EXAMPLES.get(name, codes[0] if codes else "30"))
    return ",".join(names) + "\r\n" + ",".join(examples) + "\r\n"


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BatchRejected(f"Line {line} is not UTF-8: save the file as UTF-8.") from error


def _check_header(header: list[str]) -> None:
    expected = ACCOUNT_FIELDS if "account_id" in header else APPLICATION_FIELDS
    optional = {"payments"} if expected is APPLICATION_FIELDS else set()
    unknown = sorted(set(header) - set(expected))
    missing = sorted(set(expected) - set(header) - optional)
    twice = sorted({name for name in header if header.count(name) > 1})
    for what, names in (("unknown", unknown), ("missing", missing), ("repeated", twice)):
        if names:
            listed = ", ".join(repr(name[:40]) for name in names[:20])
            raise BatchRejected(
                f"The header has {what} columns: {listed}. Use those of a template: "
                f"{', '.join(ACCOUNT_FIELDS)}; or the {len(APPLICATION_FIELDS)} application fields."
            )


def _check_length(so_far: int) -> None:
    if so_far >= MOST_LINES:
        raise BatchTooLong(f"A batch has at most {MOST_LINES:,} lines: send it in parts.")


def _line(number: int, header: list[str], cells: list[str]) -> Line:
    if len(cells) != len(header):
        problem = Problem("line", f"has {len(cells)} cells, the header has {len(header)}")
        return Line(number, InputRejected([problem]), dict(zip(header, cells, strict=False)))
    by_name = dict(zip(header, cells, strict=True))
    fields: dict[str, object] = {}
    for name, cell in by_name.items():
        is_code = name in FEATURES_BY_NAME and FEATURES_BY_NAME[name].codes
        fields[name] = (cell.strip() or None) if is_code else number_or_text(cell)
    return Line(number, fields, by_name)


def _result(answer: Answer) -> list[object]:
    if isinstance(answer, Prediction):
        probability = round(answer.probability_paid_off, 6)
        return [answer.prediction, probability, answer.threshold, answer.model_version, ""]
    return ["", "", "", "", str(answer)]


def _json_result(answer: Answer) -> dict[str, object]:
    if isinstance(answer, Prediction):
        return as_json(answer)
    listed = answer.problems if isinstance(answer, InputRejected) else ()
    errors = [{"field": problem.field, "message": problem.message} for problem in listed]
    return {"problem": str(answer), "errors": errors}


def _harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    risky = cell.startswith(_FORMULA_STARTS) and isinstance(number_or_text(cell), str)
    return f"'{cell}" if risky else cell
