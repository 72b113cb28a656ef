"""The app follows releases, refuses broken ones and says so, on a folder and on S3."""

import json
import re

import boto3
import pytest

from loan_pipeline.scoring.scorer import Scorer
from loan_pipeline_tests.helpers.bundles import MODEL_FILE, release_bundle, write_bundle

NEWER = "20261123T120000Z-00000002"
BODY = {"account_id": 1, "amount": 96_000, "duration": 24}


def version_answered(client):
    return client.post("/api/v1/predictions", json=BODY).json["model_version"]


def watch_of(app):
    return app.extensions["loan_pipeline"].models


def test_a_new_release_is_swapped_in(app, client, released):
    before = version_answered(client)
    release_bundle(released / "lake", "behavioural", version=NEWER, seed=1)
    assert version_answered(client) == before
    watch_of(app).refresh()
    assert version_answered(client) == NEWER
    text = client.get("/metrics").text
    assert f'loan_model_in_use{{feature_set="behavioural",version="{before}"}} 0.0' in text
    assert f'loan_model_in_use{{feature_set="behavioural",version="{NEWER}"}} 1.0' in text


def follow_after(monkeypatch, app, name):
    """Have the app look for a newer release whenever a scorer has done its step `name`."""
    step = getattr(Scorer, name)

    def step_and_follow(scorer, asked):
        done = step(scorer, asked)
        watch_of(app).refresh()
        return done

    monkeypatch.setattr(Scorer, name, step_and_follow)


def test_a_release_in_the_middle_of_a_batch_waits_for_the_next(app, client, released, monkeypatch):
    lines = "\n".join(json.dumps(BODY | {"amount": amount}) for amount in (96_000, 50_000))

    def answers():
        response = client.post(
            "/api/v1/predictions/batch", data=lines, content_type="application/x-ndjson"
        )
        assert response.status_code == 200
        return response.text

    before = answers()
    release_bundle(released / "lake", "behavioural", version=NEWER, seed=1)
    follow_after(monkeypatch, app, "request_row")
    assert answers() == before
    after = [json.loads(line) for line in answers().splitlines()]
    assert {line["model_version"] for line in after} == {NEWER}


def test_a_release_while_an_answer_is_made_changes_nothing_on_its_page(
    app, client, released, monkeypatch
):
    def page():
        response = client.post("/", data=BODY)
        assert response.status_code == 200
        return re.sub(r"[0-9a-f]{32}", "", response.text)  # the answer's own number

    before = page()
    release_bundle(released / "lake", "behavioural", version=NEWER, seed=1)
    follow_after(monkeypatch, app, "explain")
    assert page() == before
    assert page() != before


def test_the_first_release_ends_the_503(home, make_app):
    app = make_app(home)
    client = app.test_client()
    assert client.get("/").status_code == 503
    release_bundle(home / "lake", "behavioural")
    watch_of(app).refresh()
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("damage", ["cut", "garbage", "missing", "no manifest"])
def test_a_broken_release_is_refused_and_reported_and_the_old_one_serves_on(
    app, client, released, damage
):
    before = version_answered(client)
    folder = released / "lake/releases/behavioural" / NEWER
    garbage = b"no graph" if damage == "garbage" else None
    release_bundle(released / "lake", "behavioural", version=NEWER, model=garbage)
    if damage == "cut":
        (folder / MODEL_FILE).write_bytes((folder / MODEL_FILE).read_bytes()[:-1])
    elif damage == "missing":
        (folder / MODEL_FILE).unlink()
    elif damage == "no manifest":
        (folder / "manifest.json").unlink()
    watch_of(app).refresh()
    assert version_answered(client) == before
    ready = client.get("/readyz")
    assert ready.status_code == 200, "the app can still answer"
    status = ready.json["models"]["behavioural"]
    assert status["version"] == before
    assert NEWER in status["problem"]
    assert 'loan_release_refused{feature_set="behavioural"} 1.0' in client.get("/metrics").text
    assert "is not in use" in client.get("/model").text

    release_bundle(released / "lake", "behavioural", version="20261124T120000Z-00000003")
    watch_of(app).refresh()
    assert version_answered(client) == "20261124T120000Z-00000003"
    assert client.get("/readyz").json["models"]["behavioural"]["problem"] is None


def test_a_lake_that_goes_away_leaves_the_models_serving(app, client, released):
    before = version_answered(client)
    (released / "lake").rename(released / "gone")
    watch_of(app).refresh()
    assert version_answered(client) == before
    assert client.get("/readyz").json["models"]["behavioural"]["problem"]


def test_a_watch_outlives_unexpected_errors(released):
    from webapp.model_watch import ModelWatch

    class Odd:
        url = "odd://"

        def read_pointer(self, _key):
            raise ZeroDivisionError("odd")

    heard = []
    watch = ModelWatch(Odd(), released / "cache", 1, lambda _name, status: heard.append(status))
    watch.refresh()
    assert [status.problem for status in heard] == [
        "looking for a release failed with ZeroDivisionError"
    ] * 2


def test_releases_are_followed_on_s3(s3_url, home, make_app):
    bucket, _, prefix = s3_url.removeprefix("s3://").partition("/")
    s3 = boto3.client("s3")

    def release(version, seed):
        folder = home / "made" / version
        write_bundle(folder, "behavioural", version=version, seed=seed)
        for path in folder.iterdir():
            key = f"{prefix}/releases/behavioural/{version}/{path.name}"
            s3.upload_file(str(path), bucket, key)
        pointer = json.dumps({"version": version}).encode()
        s3.put_object(Bucket=bucket, Key=f"{prefix}/releases/behavioural/latest.json", Body=pointer)

    release("20261122T120000Z-00000001", 0)
    app = make_app(home, lake_url=s3_url)
    client = app.test_client()
    assert version_answered(client) == "20261122T120000Z-00000001"
    release(NEWER, 1)
    watch_of(app).refresh()
    assert version_answered(client) == NEWER
