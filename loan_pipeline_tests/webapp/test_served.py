"""The app as gunicorn serves it: start, load, swap, stop, several workers."""

import http.client
import json
import re
import sqlite3
import threading
import time
from collections import Counter

import httpx
import psutil
import pytest

from loan_pipeline.contracts.prediction_log import PREDICTION_LOG_FILE
from loan_pipeline_tests.helpers.bundles import MODEL_FILE, release_bundle

URL = "/api/v1/predictions"
BODY = json.dumps({"account_id": 1, "amount": 96_000, "duration": 24})
HEADERS = {"Content-Type": "application/json"}


class Load:
    """Connections that ask one request after the other until told to stop."""

    def __init__(self, port: int, connections: int, *, keep_alive: bool = True) -> None:
        self.port = port
        self.keep_alive = keep_alive
        self.answers: Counter[tuple[int, str]] = Counter()
        self.failures: list[str] = []
        self.request_ids: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(connections)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not self._stop.is_set():
            try:
                connection.request("POST", URL, BODY, HEADERS)
                response = connection.getresponse()
                answer = json.loads(response.read())
            except ConnectionRefusedError:
                break  # the server takes no new connections: nothing was asked
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.failures.append(repr(error))
                break
            with self._lock:
                self.answers[response.status, answer.get("model_version", "")] += 1
                self.request_ids.add(response.headers["X-Request-ID"])
            if not self.keep_alive:
                connection.close()
        connection.close()

    def stop(self) -> None:
        self._stop.set()
        self.join()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(timeout=30)


def wait_for(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def test_releases_swapped_under_load_fail_no_request(released, serve):
    server = serve(released)
    load = Load(server.port, connections=4)
    versions = [f"2026112{day}T120000Z-00000001" for day in range(3, 9)]
    for number, version in enumerate(versions):
        release_bundle(released / "lake", "behavioural", version=version, seed=number)
        wait_for(lambda version=version: load.answers[200, version] > 20)
        if number == 2:
            broken = "20261125T130000Z-broken"
            release_bundle(released / "lake", "behavioural", version=broken)
            model = released / "lake/releases/behavioural" / broken / MODEL_FILE
            model.write_bytes(b"broken")
            time.sleep(0.5)
            ready = httpx.get(f"{server.url}/readyz").json()["models"]["behavioural"]
            assert ready["version"] == version or broken in str(ready["problem"])
    wait_for(lambda: sum(load.answers.values()) >= 2_000, seconds=60)
    load.stop()
    assert load.failures == []
    assert {status for status, _ in load.answers} == {200}
    assert {version for _, version in load.answers} >= set(versions)
    assert server.stop() == 0


@pytest.mark.parametrize("keep_alive", [True, False], ids=["kept connections", "new ones"])
def test_a_server_told_to_stop_under_load_drops_nothing(released, serve, keep_alive):
    server = serve(released)
    load = Load(server.port, connections=4, keep_alive=keep_alive)
    wait_for(lambda: sum(load.answers.values()) > 200)
    assert server.stop() == 0
    load.join()
    assert load.failures == []
    assert {status for status, _ in load.answers} == {200}
    connection = sqlite3.connect(released / PREDICTION_LOG_FILE)
    logged = {row[0] for row in connection.execute("SELECT request_id FROM predictions")}
    connection.close()
    assert load.request_ids <= logged, "answers given while stopping are recorded, too"
    assert "Traceback" not in server.log.read_text()
    assert "terminate called" not in server.log.read_text()


def test_several_workers_agree_on_sessions_and_add_up_their_metrics(released, serve):
    server = serve(released, WEB_CONCURRENCY="2")
    with httpx.Client(base_url=server.url) as client:
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/").text)[1]
    cookies = dict(client.cookies)
    seen = Counter()
    form = {"csrf_token": token, "account_id": "1", "amount": "96000", "duration": "24"}
    # A new connection each, so that both workers are asked.
    new_ones = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=server.url, cookies=cookies, limits=new_ones) as client:
        for _ in range(20):
            seen[client.post("/", data=form).status_code] += 1
    assert seen == {200: 20}
    # Each worker counts a few times a second.
    counted = 'loan_requests_total{endpoint="pages.by_account",status="200"} 21.0'
    wait_for(lambda: counted in httpx.get(f"{server.url}/metrics").text)
    assert len(psutil.Process(server.process.pid).children()) == 2
    assert server.stop() == 0


def test_a_worker_is_small_and_loads_only_what_it_needs(released, serve):
    server = serve(released)
    wait_for(lambda: httpx.get(f"{server.url}/readyz").status_code == 200)
    with httpx.Client(base_url=server.url, headers=HEADERS) as client:
        for _ in range(50):
            client.post(URL, content=BODY)
    (worker,) = psutil.Process(server.process.pid).children()
    assert worker.memory_info().rss < 200e6
    loaded = {path.split("/site-packages/")[-1].split("/")[0] for path in _mapped(worker)}
    assert loaded & {"onnxruntime"}
    assert not loaded & {"pandas", "pyarrow", "torch", "sklearn", "duckdb", "scipy"}
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    asked = [line for line in lines if line["logger"] == "webapp.access" and line["path"] == URL]
    assert len(asked) == 50


def _mapped(worker: psutil.Process) -> set[str]:
    return {region.path for region in worker.memory_maps() if "/site-packages/" in region.path}


def test_a_worker_that_dies_is_replaced(released, serve):
    server = serve(released)
    (worker,) = psutil.Process(server.process.pid).children()
    worker.kill()

    def answered() -> bool:
        try:
            return httpx.get(f"{server.url}/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    wait_for(lambda: psutil.Process(server.process.pid).children() not in ([], [worker]))
    wait_for(answered)
