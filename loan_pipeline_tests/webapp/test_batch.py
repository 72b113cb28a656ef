"""Batches: CSV and JSON lines in, one answer per line out, problems by line."""

import csv
import html
import io
import json
import re
import sqlite3

import pytest

from loan_pipeline.contracts.prediction_log import PREDICTION_LOG_FILE
from loan_pipeline_tests.helpers.bundles import application_fields

URL = "/api/v1/predictions/batch"
GOOD = "account_id,amount,duration\n1,96000,24\n2,50000,12\n"


def post_csv(client, text):
    data = text.encode() if isinstance(text, str) else text
    return client.post(URL, data=data, content_type="text/csv")


def rows_of(response, separator=","):
    assert response.status_code == 200, response.text
    assert response.mimetype == "text/csv"
    text = response.text.removeprefix("\ufeff")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator))


def upload(client, text, name="loans.csv"):
    data = text.encode() if isinstance(text, str) else text
    return client.post("/batch", data={"file": (io.BytesIO(data), name)})


def test_each_line_is_answered_like_a_single_request(client):
    rows = rows_of(post_csv(client, GOOD))
    assert [row["line"] for row in rows] == ["2", "3"]
    for row in rows:
        fields = {name: int(row[name]) for name in ("account_id", "amount", "duration")}
        alone = client.post("/api/v1/predictions", json=fields).json
        assert float(row["probability_paid_off"]) == pytest.approx(
            alone["probability_paid_off"], abs=2e-6
        )
        assert row["prediction"] == alone["prediction"]
        assert row["problem"] == ""


def test_applications_are_scored_too_with_empty_cells_as_missing(client):
    fields = application_fields()
    header = ",".join(fields)
    line = ",".join(str(value) for value in fields.values())
    empty = ",".join(
        "" if name in ("order_amount_mean_czk", "payments") else str(value)
        for name, value in fields.items()
    )
    rows = rows_of(post_csv(client, f"{header}\n{line}\n{empty}\n"))
    assert [row["problem"] for row in rows] == ["", ""]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_of_spreadsheets_are_read(client, separator, end):
    lines = ["\ufeffaccount_id,amount,duration", "1,96 000,24", "", "2,50000,12"]
    text = end.join(line.replace(",", separator) for line in lines)
    rows = rows_of(post_csv(client, text), separator)
    assert [row["problem"] for row in rows] == ["", ""]
    assert [row["line"] for row in rows] == ["2", "4"]


def test_bad_lines_get_their_problem_and_good_ones_are_answered(client):
    text = GOOD + "99,50000,12\n1,abc,12\n1,50000\n1,50000,12,7\n,50000,12\n"
    rows = rows_of(post_csv(client, text))
    assert [bool(row["prediction"]) for row in rows] == [True, True] + [False] * 5
    problems = [row["problem"] for row in rows[2:]]
    assert "account 99 is not known" in problems[0]
    assert problems[1] == "amount must be a number"
    assert problems[2] == "line has 2 cells, the header has 3"
    assert problems[3] == "line has 4 cells, the header has 3"
    assert problems[4] == "account_id is missing"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "missing columns"),
        ("account_id,amount,duration\n", "no line below the header"),
        ("account_id,amount\n1,2\n", "missing columns: 'duration'"),
        ("account_id,amount,duration,x\n1,2,3,4\n", "unknown columns: 'x'"),
        ("account_id,amount,duration,amount\n1,2,3,4\n", "repeated columns: 'amount'"),
        (b"account_id,amount,duration\n1,2,\xff\n", "Line 2 is not UTF-8"),
        ('account_id,amount,duration\n1,2,"3\n', "is not CSV"),
        ("account_id,amount,duration\n" + "1" * 200_000 + ",2,3\n", "is not CSV"),
        (b"PK\x03\x04\x14\x00\x06\x00xl/workbook.xml", "This is an Excel workbook (.xlsx)"),
        (b"PK\x03\x04\x14\x00\x06\x00content.xml", "This is an archive or workbook (.zip, .ods)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "This is an Excel workbook (.xls)"),
        ("account_id;amount;duration;\n1;2;3;x\n", "Column 4 has no name, but line 2"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_reason(client, text, message):
    answer = post_csv(client, text)
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert message in answer.json["detail"]
    page = upload(client, text)
    assert page.status_code == 422
    assert "The file cannot be scored." in page.text


def test_more_lines_than_allowed_are_refused(client):
    text = "account_id,amount,duration\n" + "1,96000,24\n" * 10_001
    assert post_csv(client, text).status_code == 413
    assert "at most 10,000 lines" in upload(client, text).text


@pytest.mark.slow
def test_ten_thousand_lines_are_answered(client):
    text = "account_id,amount,duration\n" + "1,96000,24\n" * 10_000
    assert len(rows_of(post_csv(client, text))) == 10_000


def test_json_lines_are_answered_line_by_line(client):
    lines = [
        '{"account_id": 1, "amount": 96000, "duration": 24}',
        "",
        json.dumps(application_fields()),
        "[]",
        "{",
        '{"account_id": 1, "amount": -1, "duration": 24}',
    ]
    answer = client.post(URL, data="\n".join(lines), content_type="application/x-ndjson")
    assert answer.status_code == 200
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["line"] for line in found] == [1, 3, 4, 5, 6]
    assert [line.get("feature_set") for line in found[:2]] == ["behavioural", "application"]
    assert found[2]["problem"] == "line is no JSON object"
    assert "is not JSON" in found[3]["problem"]
    assert found[4]["errors"] == [
        {"field": "amount", "message": "must be between 1 and 100,000,000"}
    ]


def test_other_media_types_are_refused(client):
    answer = client.post(URL, data=GOOD, content_type="application/vnd.ms-excel")
    assert answer.status_code == 415


def test_results_never_start_a_formula_in_a_spreadsheet(client):
    text = 'account_id,amount,duration\n"=HYPERLINK(""http://x"")",@SUM(A1),-5\n'
    (row,) = rows_of(post_csv(client, text))
    assert row["account_id"].startswith("'=")
    assert row["amount"] == "'@SUM(A1)"
    assert row["duration"] == "-5"


@pytest.mark.parametrize("name", ["account", "application"])
def test_a_template_filled_in_as_it_is_can_be_scored(client, name):
    template = client.get(f"/batch/template/{name}.csv")
    assert template.headers["Content-Disposition"] == f"attachment; filename={name}.csv"
    (row,) = rows_of(post_csv(client, template.text))
    assert row["problem"] == ""


def test_a_template_that_does_not_exist_is_not_found(client):
    assert client.get("/batch/template/other.csv").status_code == 404


def test_the_page_shows_problems_by_line_and_gives_the_results(client):
    page = upload(client, GOOD + "1,<b>abc</b>,12\n")
    assert page.status_code == 200
    assert "loans.csv: 3 lines, 1 with problems" in page.text
    assert '<th scope="row">4</th><td>amount must be a number</td>' in page.text
    assert "<b>abc" not in page.text
    kept = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page.text, re.DOTALL)[1]
    results = client.post("/batch/results", data={"csv": html.unescape(kept)})
    assert results.headers["Content-Disposition"] == "attachment; filename=predictions.csv"
    assert [bool(row["prediction"]) for row in rows_of(results)] == [True, True, False]


def test_the_page_without_a_file_asks_for_one(client):
    page = client.post("/batch", data={})
    assert page.status_code == 422
    assert "Choose a CSV file first." in page.text
    assert client.post("/batch/results", data={}).status_code == 422


def test_looking_at_a_batch_records_nothing_taking_its_results_does(released, client):
    upload(client, GOOD)
    assert not (released / PREDICTION_LOG_FILE).exists()
    client.post("/batch/results", data={"csv": GOOD})
    connection = sqlite3.connect(released / PREDICTION_LOG_FILE)
    rows = connection.execute("SELECT source FROM predictions").fetchall()
    connection.close()
    assert rows == [("batch",), ("batch",)]


def probability_of(client, **changes):
    answer = client.post("/api/v1/predictions", json=application_fields(**changes))
    return answer.json["probability_paid_off"]


def post_applications(client, separator, *columns_of_lines):
    """Applications that differ in some columns, as text."""
    header = list(application_fields())
    lines = [separator.join(header)]
    for changes in columns_of_lines:
        plain = {name: str(v).replace(".", "") for name, v in application_fields().items()}
        lines.append(separator.join((plain | changes)[name] for name in header))
    return rows_of(post_csv(client, "\n".join(lines)), separator)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_number_that_can_be_read_in_two_ways_is_a_problem_of_its_line(client, separator):
    rows = post_applications(
        client, separator, {"balance_mean_czk": "30.000"}, {"balance_mean_czk": "31000"}
    )
    assert rows[0]["prediction"] == ""
    assert rows[0]["problem"] == (
        "balance_mean_czk is 30.000, which can be read in two ways: write 30000 or 30.0"
    )
    assert rows[1]["prediction"] != "", "the other line leaves nothing open"


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["30.000", "1.234.567"], [30_000, 1_234_567]),
        (["30.000", "30,5"], [30_000, 30.5]),
        (["30.000", "30.5"], [30, 30.5]),
        (["30000,00", "31 000,00"], [30_000, 31_000]),
        (["30'000.50", "31\u2019000"], [30_000.5, 31_000]),
    ],
)
def test_where_one_reading_fits_the_whole_column_it_is_taken(client, texts, values):
    rows = post_applications(client, ";", *({"balance_mean_czk": text} for text in texts))
    for row, value in zip(rows, values, strict=True):
        assert row["problem"] == ""
        expected = probability_of(client, balance_mean_czk=value, order_amount_mean_czk=23005)
        found = float(row["probability_paid_off"].replace(",", "."))
        assert found == pytest.approx(expected, abs=2e-6)


def test_a_column_that_mixes_decimal_signs_is_refused_where_they_stand(client):
    rows = post_applications(
        client,
        ";",
        {"balance_mean_czk": "30.5"},
        {"balance_mean_czk": "30,5"},
        {"balance_mean_czk": "30"},
    )
    problems = [row["problem"] for row in rows]
    assert "decimal points and decimal commas" in problems[0]
    assert "decimal points and decimal commas" in problems[1]
    assert problems[2] == ""


def test_answers_come_in_the_dialect_of_the_question(client):
    text = "\ufeffaccount_id;amount;duration;;\r\n1;96000,00;24;;\r\n"
    answer = post_csv(client, text)
    assert answer.data.startswith(b"\xef\xbb\xbf")
    (row,) = rows_of(answer, ";")
    assert re.fullmatch(r"0,\d+", row["probability_paid_off"])
    assert row["threshold"] == "0,5"
    (row,) = rows_of(post_csv(client, "account_id;amount;duration\n1;96000.00;24\n"), ";")
    assert re.fullmatch(r"0\.\d+", row["probability_paid_off"])


def test_a_line_that_names_the_separator_is_skipped_and_written_again(client):
    answer = post_csv(client, "sep=;\r\naccount_id;amount;duration\r\n1;96000;24\r\n1;x;24\r\n")
    first, rest = answer.text.split("\r\n", 1)
    assert first == "sep=;"
    rows = list(csv.DictReader(io.StringIO(rest, newline=""), delimiter=";"))
    assert [row["line"] for row in rows] == ["3", "4"]
    assert [row["problem"] for row in rows] == ["", "amount must be a number"]


def test_a_file_in_utf_16_is_answered_in_utf_16(client):
    answer = post_csv(client, "account_id\tamount\tduration\n1\t96000\t24\n".encode("utf-16"))
    (row,) = csv.DictReader(io.StringIO(answer.data.decode("utf-16"), newline=""), delimiter="\t")
    assert row["problem"] == ""


def test_the_page_keeps_the_dialect_from_upload_to_results(client):
    page = upload(client, "\ufeffaccount_id;amount;duration\r\n1;96000,00;24\r\n")
    assert "1 line, 0 with problems" in page.text
    form = dict(re.findall(r'<input type="hidden" name="(encoding)" value="([^"]*)"', page.text))
    kept = html.unescape(re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page.text, re.DOTALL)[1])
    results = client.post("/batch/results", data=form | {"csv": kept})
    assert results.data.startswith(b"\xef\xbb\xbf")
    (row,) = rows_of(results, ";")
    assert row["probability_paid_off"].startswith("0,")
