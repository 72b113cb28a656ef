"""Releases that are no graph: the app serves them where the operator allows it, and only there."""

from pathlib import Path

import pytest

from loan_pipeline.export.packed import pack
from loan_pipeline_tests.helpers.bundles import release_bundle
from loan_pipeline_tests.helpers.packed_models import trained_without_graph

pytestmark = pytest.mark.slow

NEWER = "20261123T120000Z-00000002"
BODY = {"account_id": 1, "amount": 96_000, "duration": 24}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return pack(trained_without_graph(tmp_path_factory.mktemp("models") / "model"))


def release_packed(home: Path, packed: bytes) -> None:
    release_bundle(
        home / "lake", "behavioural", version=NEWER, model=packed, model_kind="autogluon"
    )


def test_the_app_answers_with_reasons_where_pickles_are_allowed(released, make_app, packed):
    release_packed(released, packed)
    client = make_app(released, allow_pickles=True).test_client()
    answer = client.post("/api/v1/predictions", json=BODY).json
    assert answer["model_version"] == NEWER
    assert 0 <= answer["probability_paid_off"] <= 1
    moved = sum(reason["contribution"] for reason in answer["reasons"])
    expected = answer["probability_paid_off"] - answer["baseline_probability_paid_off"]
    assert moved == pytest.approx(expected, abs=1e-3)
    text = "account_id,amount,duration\n1,96000,24\n1787,96000,24\n"
    batch = client.post("/api/v1/predictions/batch", data=text, content_type="text/csv")
    assert batch.text.count(NEWER) == 2
    assert client.get("/model").status_code == 200
    assert client.get("/readyz").json["models"]["behavioural"]["problem"] is None


def test_elsewhere_the_release_before_serves_on_and_the_setting_is_named(
    app, client, released, packed
):
    before = client.post("/api/v1/predictions", json=BODY).json
    release_packed(released, packed)
    app.extensions["loan_pipeline"].models.refresh()
    assert client.post("/api/v1/predictions", json=BODY).json == before
    status = client.get("/readyz").json["models"]["behavioural"]
    assert status["version"] == before["model_version"]
    assert "LOAN_ALLOW_PICKLES=true" in status["problem"]
