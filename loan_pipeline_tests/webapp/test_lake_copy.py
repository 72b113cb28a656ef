"""Predictions in the lake before their answers are sent, where the app's disk does not last."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from loan_pipeline.lake.folder_store import FolderStore
from webapp.lambda_handler import copy_predictions_to_lake
from webapp.recording.lake_copy import LakeCopy

ACCOUNT = {"account_id": 1787, "amount": 96_000, "duration": 24}
URL = "/api/v1/predictions"


def rows(lake: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted((lake / "predictions").rglob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]


def break_lake(lake: Path) -> None:
    """A file where the folder of predictions would be: nothing can be written below it."""
    (lake / "predictions").write_text("in the way")


@pytest.fixture
def copying(released: Path, make_app: Callable[..., Flask]) -> Callable[..., Flask]:
    def make(**settings: object) -> Flask:
        app = make_app(released, **settings)
        copy_predictions_to_lake(app)
        return app

    return make


def test_each_answer_is_one_object_and_pages_write_none(copying, released):
    client = copying().test_client()
    assert client.get("/").status_code == 200
    assert not (released / "lake" / "predictions").exists()
    for _ in range(2):
        assert client.post(URL, json=ACCOUNT).status_code == 200
    assert len(list((released / "lake" / "predictions").rglob("*.jsonl"))) == 2
    [first, second] = rows(released / "lake")
    assert first["account_id"] == second["account_id"] == 1787
    assert first["prediction_id"] != second["prediction_id"]


def test_an_answer_that_the_lake_does_not_take_is_not_given(copying, released):
    break_lake(released / "lake")
    answer = copying().test_client().post(URL, json=ACCOUNT)
    assert answer.status_code == 503
    assert answer.mimetype == "application/problem+json"
    assert "cannot be recorded" in answer.json["detail"]
    assert "probability" not in answer.text
    assert answer.headers["X-Request-ID"]  # it is logged and counted like any other


def test_where_recording_is_optional_the_answer_is_given_and_the_loss_counted(copying, released):
    break_lake(released / "lake")
    client = copying(web_recording="optional").test_client()
    assert client.post(URL, json=ACCOUNT).status_code == 200
    assert "loan_prediction_log_lost_total 1.0" in client.get("/metrics").text


def test_what_the_lake_did_not_take_comes_with_the_next_answer(copying, released):
    client = copying(web_recording="optional").test_client()
    break_lake(released / "lake")
    client.post(URL, json=ACCOUNT)
    (released / "lake" / "predictions").unlink()
    client.post(URL, json=ACCOUNT)
    assert len(rows(released / "lake")) == 2


def test_the_next_process_repeats_rows_rather_than_losing_them(copying, released):
    copying().test_client().post(URL, json=ACCOUNT)
    again = LakeCopy(released / "predictions.sqlite", FolderStore(released / "lake"))
    assert again.write_new() == 1
    assert again.write_new() == 0
    assert len({row["prediction_id"] for row in rows(released / "lake")}) == 1
