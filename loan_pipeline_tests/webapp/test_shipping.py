"""The prediction log reaches the lake whole and once, whatever is killed in between."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import boto3
import httpx
import pytest
from flask import Flask
from moto.server import ThreadedMotoServer

from loan_pipeline.contracts.shipped_predictions import SHIPPED_PREDICTIONS, unpacked_rows
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.protocol import Store, StoreError
from loan_pipeline_tests.helpers.prediction_rows import prediction_row, recorded_ids, write_rows
from loan_pipeline_tests.helpers.server import Server
from webapp.recording.shipping import LogShipper, NotShipped

URL = "/api/v1/predictions"
BODY = {"account_id": 1, "amount": 96_000, "duration": 24}
ROOT = Path(__file__).parents[2]
# What a worker does: it records answers one by one and ships in the background.
WORKER = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from loan_pipeline.lake.open import open_store
    from loan_pipeline_tests.helpers.prediction_rows import prediction_row, write_rows
    from webapp.recording.shipping import LogShipper
    log, url = Path(sys.argv[1]), sys.argv[2]
    LogShipper(log, open_store(url), seconds=0.02).start()
    while True:
        write_rows(log, [prediction_row()])
        time.sleep(0.01)
""")


class RefusingStore(FolderStore):
    """A folder that refuses, or that loses the process after the object has been written."""

    def __init__(self, root: Path, fault: Callable[[], None]) -> None:
        super().__init__(root)
        self._fault = fault

    def write(self, key: str, data: bytes) -> None:
        super().write(key, data)
        self._fault()


def shipped_ids(store: Store) -> list[str]:
    return [
        row["prediction_id"]
        for key in store.list(SHIPPED_PREDICTIONS)
        for row in unpacked_rows(store.read(key))
    ]


def objects(store: Store) -> dict[str, bytes]:
    return {key: store.read(key) for key in store.list(SHIPPED_PREDICTIONS)}


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "lake")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "predictions.sqlite"


def test_every_row_is_shipped_once_and_only_new_ones_the_next_time(
    store: FolderStore, log: Path
) -> None:
    shipper = LogShipper(log, store, seconds=60)
    assert shipper.ship_now() == 0
    write_rows(log, [prediction_row() for _ in range(3)])
    assert shipper.waiting() == 3
    assert shipper.ship_now() == 3
    assert shipper.waiting() == 0
    write_rows(log, [prediction_row()])
    assert shipper.ship_now() == 1
    assert shipper.ship_now() == 0
    assert sorted(shipped_ids(store)) == sorted(recorded_ids(log))
    assert len(store.list(SHIPPED_PREDICTIONS)) == 2


def test_many_rows_are_shipped_in_several_objects_of_bounded_size(
    store: FolderStore, log: Path
) -> None:
    at = "2026-11-25T12:00:00.000+00:00"
    write_rows(log, [prediction_row(answered_at=at) for _ in range(9_000)])
    assert LogShipper(log, store, seconds=60).ship_now() == 9_000
    sizes = [len(unpacked_rows(data)) for data in objects(store).values()]
    assert sorted(sizes) == [1_000, 4_000, 4_000]
    assert sorted(shipped_ids(store)) == sorted(recorded_ids(log))


def test_what_ties_an_answer_to_a_browser_stays_in_the_app(store: FolderStore, log: Path) -> None:
    write_rows(log, [prediction_row(visitor="a-visitor")])
    LogShipper(log, store, seconds=60).ship_now()
    (data,) = objects(store).values()
    (row,) = unpacked_rows(data)
    assert "visitor" not in row
    assert row["probability_paid_off"] == 0.9


def test_an_object_holds_the_answers_of_one_day(store: FolderStore, log: Path) -> None:
    times = ["2026-11-25T23:59:59.999+00:00", "2026-11-26T00:00:00.000+00:00"]
    write_rows(log, [prediction_row(answered_at=time) for time in times])
    LogShipper(log, store, seconds=60).ship_now()
    assert store.folders(SHIPPED_PREDICTIONS) == ["2026-11-25", "2026-11-26"]


def test_rows_that_were_assigned_keep_their_object_when_more_arrive(
    store: FolderStore, log: Path
) -> None:
    def end() -> None:
        raise StoreError("the connection broke after the object had been written")

    write_rows(log, [prediction_row() for _ in range(2)])
    with pytest.raises(NotShipped, match="connection broke"):
        LogShipper(log, RefusingStore(store.root, end), seconds=60).ship_now()
    before = objects(store)
    assert len(before) == 1
    write_rows(log, [prediction_row()])
    LogShipper(log, store, seconds=60).ship_now()
    assert objects(store).items() > before.items()
    assert sorted(shipped_ids(store)) == sorted(recorded_ids(log))


def test_shippers_of_one_log_do_not_double_rows(store: FolderStore, log: Path) -> None:
    write_rows(log, [prediction_row() for _ in range(50)])
    threads = [Thread(target=LogShipper(log, store, seconds=60).ship_now) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(shipped_ids(store)) == sorted(recorded_ids(log))


def test_a_stopping_app_ships_its_last_answers(store: FolderStore, log: Path) -> None:
    shipper = LogShipper(log, store, seconds=3600)
    shipper.start()
    write_rows(log, [prediction_row()])
    shipper.stop()
    assert sorted(shipped_ids(store)) == sorted(recorded_ids(log))


def test_a_log_that_cannot_be_read_is_reported(store: FolderStore, log: Path) -> None:
    log.write_bytes(b"this is no database, but long enough to look like a broken one" * 20)
    with pytest.raises(NotShipped, match=r"predictions\.sqlite"):
        LogShipper(log, store, seconds=60).ship_now()


def test_nothing_is_lost_or_doubled_when_apps_and_the_store_are_killed(
    tmp_path: Path, aws_environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two instances of two workers each; every kind of process is killed again and again."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    endpoint = f"http://127.0.0.1:{port}"
    assert endpoint != aws_environment  # the other tests' store stays up
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    environment = os.environ | {
        "AWS_MAX_ATTEMPTS": "1",
        "PYTHONPATH": str(ROOT),
    }
    boto3.client("s3", endpoint_url=endpoint).create_bucket(
        Bucket="shipping-lake", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    url = "s3://shipping-lake/lake"
    logs = [tmp_path / f"instance-{n}.sqlite" for n in range(2)]

    def start(log: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", WORKER, str(log), url],
            env=environment,
            stderr=subprocess.DEVNULL,
        )

    for log in logs:
        write_rows(log, [prediction_row()])
    workers = [(log, start(log)) for log in logs for _ in range(2)]
    try:
        for round_ in range(4):
            wait_for_rows(logs, 15)
            for index in range(len(workers)):
                if (index + round_) % 2:
                    log, process = workers[index]
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    workers[index] = (log, start(log))
            if round_ % 3 == 1:  # the store goes away; moto keeps its objects in this process
                server.stop()
                wait_for_rows(logs, 15)
                server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
                server.start()
        wait_for_rows(logs, 15)
    finally:
        for _, process in workers:
            process.kill()
            process.wait()
    try:
        store = open_store(url)
        for log in logs:
            LogShipper(log, store, seconds=60).ship_now()
        counted = Counter(shipped_ids(store))
        recorded = [one for log in logs for one in recorded_ids(log)]
        assert len(recorded) > 150  # fifteen a round and log, at least
        assert len(store.list(SHIPPED_PREDICTIONS)) > 10
        assert {one for one, times in counted.items() if times > 1} == set()
        assert set(counted) == set(recorded)
    finally:
        server.stop()


def test_the_app_ships_its_answers_and_says_how_many_wait(
    released: Path, make_app: Callable[..., Flask]
) -> None:
    app = make_app(released)
    client, state = app.test_client(), app.extensions["loan_pipeline"]
    for _ in range(3):
        assert client.post(URL, json=BODY).status_code == 200
    state.close()
    store = FolderStore(released / "lake")
    assert len(shipped_ids(store)) == 3
    assert "loan_prediction_log_unshipped 0.0" in client.get("/metrics").text


def test_an_answer_is_in_the_lake_before_it_is_sent_where_disks_do_not_last(
    released: Path, make_app: Callable[..., Flask]
) -> None:
    app = make_app(released, web_shipping="before_answer")
    store = FolderStore(released / "lake")
    for number in (1, 2):
        assert app.test_client().post(URL, json=BODY).status_code == 200
        assert len(shipped_ids(store)) == number
    folder = released / "lake" / SHIPPED_PREDICTIONS
    folder.rename(folder.with_name("moved"))
    folder.write_bytes(b"a file where the objects' folder should be")
    answer = app.test_client().post(URL, json=BODY)
    assert answer.status_code == 503
    assert answer.mimetype == "application/problem+json"
    assert "cannot be recorded" in answer.json["detail"]
    assert str(released) not in answer.text
    optional = make_app(released, web_shipping="before_answer", web_recording="optional")
    given = optional.test_client().post(URL, json=BODY)
    assert given.status_code == 200
    assert "loan_prediction_log_lost_total 1.0" in optional.test_client().get("/metrics").text
    folder.unlink()
    assert app.test_client().post(URL, json=BODY).status_code == 200
    assert len(shipped_ids(store)) == 3  # with those that the lake did not take before


def test_a_served_app_that_is_told_to_stop_or_killed_loses_nothing(
    released: Path, serve: Callable[..., Server]
) -> None:
    store = FolderStore(released / "lake")
    server = serve(released, LOAN_WEB_DRAIN_SECONDS="0")
    post_request(server.url)
    server.process.terminate()
    server.process.wait(20)
    assert len(shipped_ids(store)) == 1
    killed = serve(released)
    post_request(killed.url)
    killed.process.kill()
    killed.process.wait()
    assert len(shipped_ids(store)) == 1
    follower = serve(released)  # its first try comes at once
    wait_until(lambda: len(shipped_ids(store)) == 2)
    follower.process.kill()


def post_request(server: str) -> None:
    assert httpx.post(server + URL, json=BODY).is_success


def wait_for_rows(logs: list[Path], more: int) -> None:
    """Let each log grow by so many rows, however slow the machine is."""
    wanted = [len(recorded_ids(log)) + more for log in logs]
    wait_until(
        lambda: all(len(recorded_ids(log)) >= n for log, n in zip(logs, wanted, strict=True))
    )


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
