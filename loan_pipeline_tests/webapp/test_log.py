"""The prediction log and the secret key: what is kept, and what happens where it cannot be."""

import json
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from loan_pipeline.contracts.prediction_log import PREDICTION_LOG_FILE
from loan_pipeline.settings import Settings
from loan_pipeline_tests.helpers.bundles import application_fields
from webapp.security import SecretKeyError, secret_key

pytestmark = pytest.mark.fast

URL = "/api/v1/predictions"
BODY = {"account_id": 1, "amount": 96_000, "duration": 24}


def rows_of(app, home):
    app.extensions["loan_pipeline"].log.close()  # writes what waits
    connection = sqlite3.connect(home / PREDICTION_LOG_FILE)
    connection.row_factory = sqlite3.Row
    rows = connection.execute("SELECT * FROM predictions ORDER BY id").fetchall()
    connection.close()
    return rows


def test_every_answer_is_recorded_with_what_was_asked_and_no_more(app, client, released):
    answer = client.post(URL, json=BODY)
    client.post(URL, json=application_fields())
    client.post("/", data=BODY)
    client.post(URL, json=BODY | {"account_id": 99})
    by_account, by_application, by_form = rows_of(app, released)
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


def test_a_log_that_cannot_be_written_fails_no_request(released, make_app):
    (released / PREDICTION_LOG_FILE).mkdir()
    app = make_app(released)
    client = app.test_client()
    assert [client.post(URL, json=BODY).status_code for _ in range(5)] == [200] * 5
    app.extensions["loan_pipeline"].log.close()
    assert "loan_prediction_log_lost_total 5.0" in client.get("/metrics").text
    assert client.get("/history").status_code == 200


def test_a_log_that_was_mended_is_written_again(released, make_app):
    (released / PREDICTION_LOG_FILE).mkdir()
    app = make_app(released)
    client = app.test_client()
    client.post(URL, json=BODY)
    app.extensions["loan_pipeline"].log.close()
    (released / PREDICTION_LOG_FILE).rmdir()
    client.post(URL, json=BODY)
    assert len(rows_of(app, released)) == 1


def test_a_history_that_cannot_be_read_is_told_and_no_crash(released, make_app):
    app = make_app(released)
    client = app.test_client()
    client.post("/", data=BODY)
    app.extensions["loan_pipeline"].log.close()
    (released / PREDICTION_LOG_FILE).write_bytes(b"not a database" * 100)
    page = client.get("/history")
    assert page.status_code == 200
    assert "cannot be read" in page.text


def test_answers_from_many_threads_are_all_recorded(app, released):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: app.test_client().post(URL, json=BODY), range(200)))
    assert len(rows_of(app, released)) == 200


def test_answers_older_than_the_log_keeps_are_removed(released, make_app):
    app = make_app(released)
    client = app.test_client()
    client.post(URL, json=BODY)
    app.extensions["loan_pipeline"].log.close()
    with sqlite3.connect(released / PREDICTION_LOG_FILE) as connection:
        connection.execute("UPDATE predictions SET answered_at = '2020-01-01T00:00:00+00:00'")
    connection.close()
    client.post(URL, json=BODY)
    (row,) = rows_of(app, released)
    assert row["answered_at"] > "2020-01-01"


def test_workers_without_a_configured_key_agree_on_one_that_others_cannot_read(tmp_path):
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
