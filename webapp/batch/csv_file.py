"""CSV files: read into requests, written back with their answers in the same dialect."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from loan_pipeline.contracts.features import FEATURES_BY_NAME
from loan_pipeline.contracts.numbers_in_text import DecimalSign, decimal_signs, number
from loan_pipeline.scoring.requests import (
    ACCOUNT_FIELDS,
    APPLICATION_FIELDS,
    InputRejected,
    Problem,
)
from loan_pipeline.scoring.scorer import Prediction
from webapp.batch.dialect import Dialect, decode, find_separator
from webapp.batch.lines import BatchRejected, Line, LineResult, check_length

RESULT_COLUMNS = (
    "prediction",
    "probability_paid_off",
    "threshold",
    "model_version",
    "expected_loss",
    "referral",
    "problem",
)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_CODES = {name for name, feature in FEATURES_BY_NAME.items() if feature.codes}
_EXAMPLES = {"account_id": "1787", "amount": "96000", "duration": "24", "payments": "4000"}


@dataclass(frozen=True)
class CsvBatch:
    """A CSV file's lines and how it is written."""

    lines: list[Line]
    dialect: Dialect


_Row = tuple[int, list[str]]  # a line's number and its cells


def read_csv(data: bytes, application: Sequence[str] = APPLICATION_FIELDS) -> CsvBatch:
    """Read a CSV file with a header of the API's field names.

    Commas, semicolons, tabs or bars between the cells; decimal points or commas. Columns without
    name and content are left out.

    Args:
        data: the file.
        application: the fields that applications are asked for.

    Raises:
        BatchRejected: not CSV, columns that do not fit, no lines.
        BatchTooLong: too many lines.
    """
    text, encoding = decode(data)
    separator, start = find_separator(text)
    reader = csv.reader(io.StringIO(text[start:], newline=""), delimiter=separator, strict=True)
    line_before = text.count("\n", 0, start)
    rows: list[_Row] = []
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        for cells in reader:
            if any(cell.strip() for cell in cells):
                check_length(len(rows))
                rows.append((line_before + reader.line_num, cells))
    except csv.Error as error:
        line = line_before + reader.line_num
        raise BatchRejected(f"Line {line} is not CSV: {error}.") from error
    header, rows = _without_empty_columns(header, rows)
    _check_header(header, application)
    if not rows:
        raise BatchRejected("There is no line below the header.")
    signs = _decimal_signs(header, rows)
    dialect = Dialect(
        separator, _decimal_of_answers(separator, signs), encoding, separator_line=start > 0
    )
    return CsvBatch([_line(*row, header, signs) for row in rows], dialect)


def _without_empty_columns(header: list[str], rows: list[_Row]) -> tuple[list[str], list[_Row]]:
    """Leave out the columns that have neither a name nor content, in the header or beyond it."""
    width = max([len(header), *(len(cells) for _, cells in rows)])
    used = {index for index, name in enumerate(header) if name}
    for number_, cells in rows:
        for index in range(width):
            if index < len(cells) and cells[index].strip() and index not in used:
                if index < len(header):
                    raise BatchRejected(
                        f"Column {index + 1} has no name, but line {number_} has content in it: "
                        "name it, or empty it."
                    )
                used.add(index)
    if used == set(range(len(header))) and width == len(header):
        return header, rows
    return (
        [name for index, name in enumerate(header) if index in used],
        [(n, [cell for i, cell in enumerate(cells) if i in used]) for n, cells in rows],
    )


def _check_header(header: list[str], application: Sequence[str]) -> None:
    by_account = "account_id" in header
    expected = set(ACCOUNT_FIELDS if by_account else application)
    optional = set() if by_account else {"payments"}
    not_used = set() if by_account else set(APPLICATION_FIELDS) - expected
    found = {
        "columns that the model was made without": not_used & set(header),
        "unknown columns": set(header) - expected - not_used,
        "missing columns": expected - set(header) - optional,
        "repeated columns": {name for name in header if header.count(name) > 1},
    }
    for what, names in found.items():
        if names:
            listed = ", ".join(repr(name[:40]) for name in sorted(names)[:20])
            raise BatchRejected(
                f"The header has {what}: {listed}. Use those of a template: "
                f"{', '.join(ACCOUNT_FIELDS)}; or the {len(application)} application fields."
            )


def _decimal_signs(header: list[str], rows: list[_Row]) -> dict[str, set[DecimalSign]]:
    """Of each column of numbers, the decimal signs with which it can be read."""
    columns = zip_longest(*(cells for _, cells in rows), fillvalue="")
    return {
        name: decimal_signs(texts)
        for name, texts in zip(header, columns, strict=False)
        if name not in _CODES
    }


def _decimal_of_answers(separator: str, signs: dict[str, set[DecimalSign]]) -> DecimalSign:
    """The decimal sign that the file shows, or that goes with its separator.

    Spreadsheets put semicolons between cells where the comma is the decimal sign.
    """
    shown = {next(iter(found)) for found in signs.values() if len(found) == 1}
    if len(shown) == 1:
        return shown.pop()
    return "," if separator == ";" else "."


def _line(
    line: int, cells: list[str], header: list[str], signs: dict[str, set[DecimalSign]]
) -> Line:
    by_name = dict(zip(header, cells, strict=False))
    if len(cells) != len(header):
        problem = Problem("line", f"has {len(cells)} cells, the header has {len(header)}")
        return Line(line, InputRejected([problem]), by_name)
    fields: dict[str, object] = {}
    problems = []
    for name, cell in by_name.items():
        text = cell.strip()
        if not text:
            fields[name] = None
        elif name in _CODES:
            fields[name] = text
        else:
            value = _number(name, text, signs[name])
            if isinstance(value, Problem):
                problems.append(value)
            else:
                fields[name] = value
    return Line(line, InputRejected(problems) if problems else fields, by_name)


def _number(name: str, text: str, signs: set[DecimalSign]) -> int | float | str | Problem:
    """A cell's number; the text where it is none; a problem where its column leaves it open."""
    if len(signs) == 1:
        value = number(text, next(iter(signs)))
        return text if value is None else value
    with_point, with_comma = number(text, "."), number(text, ",")
    if with_point == with_comma:
        return text if with_point is None else with_point
    if with_point is None or with_comma is None:
        return Problem(
            name, f"is {text}, but the column has decimal points and decimal commas: use one"
        )
    thousands, decimal = max(with_point, with_comma, key=abs), min(with_point, with_comma, key=abs)
    plain = f"{decimal:.4f}" if decimal % 1 else f"{decimal:.1f}"
    return Problem(
        name, f"is {text}, which can be read in two ways: write {thousands:.0f} or {plain}"
    )


def write_csv(batch: CsvBatch, answers: Sequence[LineResult]) -> bytes:
    """The lines as they came, each with its answer or its problem, in the file's dialect."""
    out = io.StringIO(newline="")
    out.write(batch.dialect.first_line())
    writer = csv.writer(out, delimiter=batch.dialect.separator)
    columns = list(batch.lines[0].cells)
    writer.writerow(["line", *columns, *RESULT_COLUMNS])
    for line, answer in zip(batch.lines, answers, strict=True):
        cells = [_harmless(line.cells.get(name, "")) for name in columns]
        writer.writerow([line.number, *cells, *_result(answer, batch.dialect.decimal)])
    return out.getvalue().encode(batch.dialect.encoding)


def _result(answer: LineResult, decimal: DecimalSign) -> list[str]:
    if not isinstance(answer, Prediction):
        return [*[""] * (len(RESULT_COLUMNS) - 1), str(answer)]
    numbers = (round(answer.probability_paid_off, 6), answer.threshold, answer.expected_loss)
    probability, threshold, loss = (str(value).replace(".", decimal) for value in numbers)
    referral = " ".join(f"{one.text[0].upper()}{one.text[1:]}." for one in answer.referral)
    return [answer.prediction, probability, threshold, answer.model_version, loss, referral, ""]


def _harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    if not cell.startswith(_FORMULA_STARTS):
        return cell
    is_number = number(cell, ".") is not None or number(cell, ",") is not None
    return cell if is_number else f"'{cell}"


def with_encoding(batch: CsvBatch, encoding: str) -> CsvBatch:
    """The batch, as if its file had come in another encoding."""
    return replace(batch, dialect=replace(batch.dialect, encoding=encoding))


def template(columns: Iterable[str]) -> str:
    """A CSV file with the header and one line to overwrite."""
    names = list(columns)
    codes = {name: FEATURES_BY_NAME[name].codes[0] for name in _CODES}
    examples = [_EXAMPLES.get(name) or codes.get(name, "30") for name in names]
    return ",".join(names) + "\r\n" + ",".join(examples) + "\r\n"
