"""The portfolio's page, and who approved a release on the model page."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from flask import Flask
from flask.testing import FlaskClient

from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.monitoring.portfolio_store import publish_portfolio, summarise

VERSION = "20261122T120000Z-00000001"


def scored() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "loan_id": [11, 12, 13],
            "account_id": [101, 102, 103],
            "status": ["C", "D", "C"],
            "region": ["Prague", "Prague", "<b>north</b>"],
            "duration": [12, 24, 24],
            "vintage": [1997, 1998, 1998],
            "months_left": [3, 20, 10],
            "exposure_czk": [3_000.0, 40_000.0, 10_000.0],
            "probability_paid_off": [0.95, 0.4, 0.9],
            "prediction": ["paid_off", "not_paid_off", "paid_off"],
            "expected_loss_czk": [67.5, 10_800.0, 450.0],
            "reasons": ["", "lowest balance, last 90 days: 120 CZK", ""],
        }
    )


@pytest.fixture
def published(released: Path) -> FolderStore:
    store = FolderStore(released / "lake")
    names = {"snapshot_id": "snapshot-1", "model_version": VERSION}
    summary = summarise(scored(), as_of=date(1999, 1, 1), loss_given_default=0.45, **names)
    publish_portfolio(store, scored(), summary)
    return store


def test_without_a_portfolio_the_page_says_how_one_is_made(client: FlaskClient) -> None:
    answer = client.get("/portfolio")
    assert answer.status_code == 200
    assert "No portfolio was scored yet" in answer.text


def test_the_page_shows_totals_and_the_watch_list(
    client: FlaskClient, published: FolderStore
) -> None:
    assert published.exists("portfolio/latest.json")
    text = client.get("/portfolio").text
    assert "53,000&nbsp;CZK" in text  # the exposure of all three
    assert "11,318&nbsp;CZK, 21.4&nbsp;% of the exposure" in text
    watch_list = text.partition('id="watch"')[2].partition("</section>")[0]
    assert '<th scope="row">12</th>' in watch_list
    assert "lowest balance" in watch_list
    assert '<th scope="row">11</th>' not in watch_list, "in order, and accepted"
    assert "&lt;b&gt;north" in text


def test_a_portfolio_that_cannot_be_read_is_said_to_be_so(
    client: FlaskClient, published: FolderStore
) -> None:
    published.write(f"portfolio/snapshot-1/{VERSION}/summary.json", b"{}")
    answer = client.get("/portfolio")
    assert answer.status_code == 503
    assert "cannot be read now" in answer.text


def test_the_model_page_says_who_approved_the_release_and_why(
    released: Path, make_app: Callable[..., Flask]
) -> None:
    client = make_app(released).test_client()
    assert "Approved" not in client.get("/model").text
    approval = {"by": "Jana Nováková", "at": "2026-11-25T10:30:00Z", "note": "As last time."}
    store = FolderStore(released / "lake")
    store.write(f"releases/behavioural/{VERSION}/approval.json", json.dumps(approval).encode())
    text = client.get("/model").text
    assert text.count("Approved") == 1
    assert "by Jana Nováková, 2026-11-25 10:30 UTC: As last time." in text
