"""The prediction log and the secret key: what is kept, and what happens where it cannot be."""

import json
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from loan_pipeline.contracts.features import feature_set
from loan_pipeline.contracts.prediction_log import PREDICTION_LOG_FILE
from loan_pipeline.settings import Settings
from loan_pipeline_tests.helpers.bundles import application_fields
from loan_pipeline_tests.helpers.prediction_rows import break_log
from webapp.security.secret_key import SecretKeyError, secret_key

URL = "/api/v1/predictions"
BODY = {"account_id": 1, "amount": 96_000, "duration": 24}


def rows_of(home):
    connection = sqlite3.connect(home / PREDICTION_LOG_FILE)
    connection.row_factory = sqlite3.Row
    rows = connection.execute("SELECT * FROM predictions ORDER BY id").fetchall()
    connection.close()
    return rows


def test_every_answer_is_recorded_with_what_was_asked(client, released):
    answer = client.post(URL, json=BODY)
    client.post(URL, json=application_fields())
    client.post("/", data=BODY)
    client.post(URL, json=BODY | {"account_id": 99})
    by_account, by_application, by_form = rows_of(released)
    assert json.loads(by_account["inputs"]) == BODY, "nothing that was looked up"
    assert by_account["account_id"] == 1
    assert by_account["request_id"] == answer.headers["X-Request-ID"]
    assert by_account["probability_paid_off"] == pytest.approx(
        answer.json["probability_paid_off"], abs=1e-6
    )
    assert by_account["model_version"] == answer.json["model_version"]
    assert by_account["visitor"] is None
    assert json.loads(by_application["inputs"]) == application_fields()
    assert by_application["account_id"] is None
    assert (by_form["source"], len(by_form["visitor"])) == ("form", 16)


def test_each_row_has_an_id_of_its_own_and_what_the_model_saw(client, released):
    same_request = {"X-Request-ID": "trace-0123456789"}
    client.post(URL, json=application_fields(order_amount_mean_czk=None), headers=same_request)
    client.post(URL, json=BODY, headers=same_request)
    text = "account_id,amount,duration\n1,96000,24\nx,1,1\n2,50000,12\n"
    client.post(f"{URL}/batch", data=text, content_type="text/csv", headers=same_request)
    rows = rows_of(released)
    assert {row["request_id"] for row in rows} == {"trace-0123456789"}
    assert len({row["prediction_id"] for row in rows}) == 4
    assert [row["line"] for row in rows] == [None, None, 2, 4]
    assert all(row["milliseconds"] > 0 for row in rows)
    seen = json.loads(rows[0]["features"])
    assert seen["order_amount_mean_czk"] is None
    assert (seen["gender"], seen["card_type"], seen["age_years"]) == (1, 2, 41)
    assert tuple(json.loads(rows[1]["features"])) == tuple(
        f.name for f in feature_set("behavioural")
    )


def test_where_recording_is_required_no_answer_is_given_without(released, make_app):
    (released / PREDICTION_LOG_FILE).mkdir()
    client = make_app(released).test_client()
    refused = client.post(URL, json=BODY)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    assert refused.json["title"] == "The answer cannot be recorded"
    assert "probability_paid_off" not in refused.json
    page = client.post("/", data=BODY)
    assert page.status_code == 503
    assert "The answer cannot be recorded" in page.text
    text = "account_id,amount,duration\n1,96000,24\n"
    batch = client.post(f"{URL}/batch", data=text, content_type="text/csv")
    assert batch.status_code == 503
    assert "loan_predictions_total{" not in client.get("/metrics").text


def test_where_recording_is_optional_answers_are_given_and_counted_as_lost(released, make_app):
    (released / PREDICTION_LOG_FILE).mkdir()
    client = make_app(released, web_recording="optional").test_client()
    assert [client.post(URL, json=BODY).status_code for _ in range(5)] == [200] * 5
    assert "loan_prediction_log_lost_total 5.0" in client.get("/metrics").text
    assert client.get("/history").status_code == 200


def test_a_log_that_was_repaired_is_written_again(released, make_app):
    (released / PREDICTION_LOG_FILE).mkdir()
    client = make_app(released).test_client()
    assert client.post(URL, json=BODY).status_code == 503
    (released / PREDICTION_LOG_FILE).rmdir()
    assert client.post(URL, json=BODY).status_code == 200
    assert len(rows_of(released)) == 1


def test_a_batch_is_recorded_whole_or_not_at_all(client, released):
    client.post(URL, json=BODY)
    with sqlite3.connect(released / PREDICTION_LOG_FILE) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON predictions WHEN new.line = 3 "
            "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    connection.close()
    text = "account_id,amount,duration\n1,96000,24\n2,50000,12\n"
    answer = client.post(f"{URL}/batch", data=text, content_type="text/csv")
    assert answer.status_code == 503
    assert len(rows_of(released)) == 1


def test_the_first_answer_waits_for_another_process_that_writes(released, make_app):
    app = make_app(released)
    app.extensions["loan_pipeline"].shipper.stop()
    other = sqlite3.connect(released / PREDICTION_LOG_FILE, check_same_thread=False)
    other.execute("PRAGMA journal_mode = DELETE")
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, other.rollback).start()
    assert app.test_client().post(URL, json=BODY).status_code == 200
    other.close()


def test_a_log_of_an_earlier_version_is_kept_and_written_on(released, make_app):
    connection = sqlite3.connect(released / PREDICTION_LOG_FILE)
    with connection:
        connection.execute(
            "CREATE TABLE predictions (id INTEGER PRIMARY KEY, answered_at TEXT NOT NULL, "
            "request_id TEXT NOT NULL, source TEXT NOT NULL, visitor TEXT, "
            "feature_set TEXT NOT NULL, model_version TEXT NOT NULL, account_id INTEGER, "
            "inputs TEXT NOT NULL, probability_paid_off REAL NOT NULL, prediction TEXT NOT NULL)"
        )
        for account in (7, 8):
            connection.execute(
                "INSERT INTO predictions VALUES (?, '2999-01-01T00:00:00+00:00', 'r', 'api', NULL, "
                "'behavioural', 'v', ?, '{}', 0.5, 'paid_off')",
                (account, account),
            )
    connection.close()
    assert make_app(released).test_client().post(URL, json=BODY).status_code == 200
    rows = rows_of(released)
    assert [row["account_id"] for row in rows] == [7, 8, 1]
    assert len({row["prediction_id"] for row in rows}) == 3


def test_a_history_that_cannot_be_read_is_reported_and_no_crash(released, make_app):
    app = make_app(released)
    client = app.test_client()
    client.post("/", data=BODY)
    app.extensions["loan_pipeline"].shipper.stop()
    app.extensions["loan_pipeline"].predictions.close()
    break_log(released)
    page = client.get("/history")
    assert page.status_code == 200
    assert "cannot be read" in page.text


def test_answers_from_many_threads_are_all_recorded(app, released):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: app.test_client().post(URL, json=BODY), range(200)))
    assert len(rows_of(released)) == 200


@pytest.mark.parametrize("shipped", [True, False])
def test_answers_older_than_the_log_keeps_are_removed_once_they_are_shipped(
    released, make_app, shipped
):
    app = make_app(released)
    client, state = app.test_client(), app.extensions["loan_pipeline"]
    state.shipper.stop()
    client.post(URL, json=BODY)
    if shipped:
        state.shipper.ship_now()
    state.predictions.close()
    with sqlite3.connect(released / PREDICTION_LOG_FILE) as connection:
        connection.execute("UPDATE predictions SET answered_at = '2020-01-01T00:00:00+00:00'")
    connection.close()
    client.post(URL, json=BODY)
    kept = [row["answered_at"] > "2021" for row in rows_of(released)]
    assert kept == ([True] if shipped else [False, True])


def test_processes_without_a_configured_key_agree_on_one_that_others_cannot_read(tmp_path):
    settings = Settings(home=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: secret_key(settings), range(32)))
    (key,) = keys
    assert len(key) == 64
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_configured_key_is_used_and_a_short_one_refused(tmp_path):
    settings = Settings(home=tmp_path, web_secret_key="0123456789abcdef")
    assert secret_key(settings) == "0123456789abcdef"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SecretKeyError, match="16 characters or more"):
        secret_key(Settings(home=tmp_path, web_secret_key="short"))
