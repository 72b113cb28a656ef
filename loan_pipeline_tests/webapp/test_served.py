"""The app as it is served: load, new releases, slow clients, stopping, being killed."""

import http.client
import json
import os
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import httpx
import psutil

from loan_pipeline.contracts.prediction_log import PREDICTION_LOG_FILE
from loan_pipeline_tests.helpers.bundles import MODEL_FILE, release_bundle
from loan_pipeline_tests.helpers.draining_proxy import DrainingProxy
from loan_pipeline_tests.helpers.slow_clients import SlowClients

URL = "/api/v1/predictions"
BODY = json.dumps({"account_id": 1, "amount": 96_000, "duration": 24})
HEADERS = {"Content-Type": "application/json"}


class Load:
    """Connections that send one request after the other until `stop`."""

    def __init__(self, port: int, connections: int) -> None:
        self.port = port
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
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.failures.append(repr(error))
                break
            with self._lock:
                self.answers[response.status, answer.get("model_version", "")] += 1
                self.request_ids.add(response.headers["X-Request-ID"])
        connection.close()

    def stop(self) -> None:
        self._stop.set()
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
    wait_for(lambda: sum(load.answers.values()) >= 1_000, seconds=60)
    load.stop()
    assert load.failures == []
    assert {status for status, _ in load.answers} == {200}
    assert {version for _, version in load.answers} >= set(versions)
    assert server.stop() == 0


def test_behind_a_draining_proxy_no_request_fails_when_a_server_stops(released, serve):
    servers = [serve(released, LOAN_WEB_DRAIN_SECONDS="2") for _ in range(2)]
    with DrainingProxy([server.port for server in servers]) as proxy:
        load = Load(proxy.port, connections=4)
        wait_for(lambda: sum(load.answers.values()) > 200)
        assert min(proxy.answered.values()) > 0, "both servers have work"
        assert servers[0].stop() == 0
        asked_before = sum(load.answers.values())
        wait_for(lambda: sum(load.answers.values()) > asked_before + 200)
        load.stop()
    assert load.failures == []
    assert {status for status, _ in load.answers} == {200}
    assert load.request_ids <= recorded_ids(released)
    log = servers[0].log.read_text()
    assert "Traceback" not in log
    assert "terminate called" not in log


def test_a_server_about_to_stop_says_so_and_still_answers(released, serve):
    server = serve(released, LOAN_WEB_DRAIN_SECONDS="2")
    wait_for(lambda: httpx.get(f"{server.url}/readyz").status_code == 200)
    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: httpx.get(f"{server.url}/readyz").status_code == 503, seconds=1)
    assert httpx.get(f"{server.url}/readyz").json()["status"] == "stopping"
    assert httpx.post(f"{server.url}{URL}", content=BODY, headers=HEADERS).status_code == 200
    assert server.process.wait(timeout=20) == 0


def test_a_request_under_way_is_answered_before_the_server_stops(released, serve):
    server = serve(released, LOAN_WEB_DRAIN_SECONDS="0.3")
    wait_for(lambda: httpx.get(f"{server.url}/readyz").status_code == 200)
    lines = "account_id,amount,duration\n" + "1,96000,24\n" * 10_000
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as client:
        client.request("POST", f"{URL}/batch", lines, {"Content-Type": "text/csv"})
        server.process.send_signal(signal.SIGTERM)
        answer = client.getresponse()
        assert answer.status == 200
        assert answer.read().count(b"\n") == 10_001
    assert server.process.wait(timeout=40) == 0


def test_a_second_signal_ends_the_server_at_once(released, serve):
    server = serve(released, LOAN_WEB_DRAIN_SECONDS="60")
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert server.process.poll() is None
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 15


def test_an_answer_that_was_given_survives_a_killed_server(released, serve):
    server = serve(released)
    wait_for(lambda: httpx.get(f"{server.url}/readyz").status_code == 200)
    load = Load(server.port, connections=4)
    wait_for(lambda: sum(load.answers.values()) > 200)
    server.process.kill()
    load.stop()
    assert len(load.request_ids) > 200
    assert load.request_ids <= recorded_ids(released)


def test_slow_clients_do_not_hold_others_up(released, serve):
    server = serve(released)
    wait_for(lambda: httpx.get(f"{server.url}/readyz").status_code == 200)
    milliseconds_p99(server.port)  # warms up
    alone, beside = [], []
    for _ in range(5):
        alone.append(milliseconds_p99(server.port))
        with SlowClients(server.port, half_open=50, slow_bodies=50, body=BODY) as clients:
            beside.append(milliseconds_p99(server.port))
            assert clients.still_connected() == 100
    # The quietest round of each, and a floor, for what else this machine does: where slow clients
    # take threads, every round would wait for seconds.
    assert min(beside) < max(2 * min(alone), 100.0), (alone, beside)


def milliseconds_p99(port, requests=300):
    seconds = []
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        for _ in range(requests):
            started = time.perf_counter()
            connection.request("POST", URL, BODY, HEADERS)
            response = connection.getresponse()
            response.read()
            seconds.append(time.perf_counter() - started)
            assert response.status == 200
    return 1000 * statistics.quantiles(seconds, n=100)[98]


def test_a_slow_request_is_answered_once_it_is_whole(released, serve):
    server = serve(released)
    wait_for(lambda: httpx.get(f"{server.url}/readyz").status_code == 200)
    head = f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(BODY)}\r\n\r\n{BODY}".encode()
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=10)) as client:
        for start in range(0, len(request), 20):
            client.sendall(request[start : start + 20])
            time.sleep(0.02)
        assert client.recv(4096).startswith(b"HTTP/1.1 200 OK")


def test_the_server_is_small_and_loads_only_what_it_needs(released, serve):
    server = serve(released)
    wait_for(lambda: httpx.get(f"{server.url}/readyz").status_code == 200)
    with httpx.Client(base_url=server.url, headers=HEADERS) as client:
        for _ in range(50):
            client.post(URL, content=BODY)
    process = psutil.Process(server.process.pid)
    assert process.memory_info().rss < 200e6
    files = {region.path for region in process.memory_maps() if "/site-packages/" in region.path}
    loaded = {path.split("/site-packages/")[-1].split("/")[0] for path in files}
    assert loaded & {"onnxruntime"}
    assert not loaded & {"pandas", "pyarrow", "torch", "sklearn", "duckdb", "scipy"}
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    asked = [line for line in lines if line["logger"] == "webapp.access" and line["path"] == URL]
    assert len(asked) == 50


def test_an_address_in_use_is_named(released, serve):
    server = serve(released)
    assert "cannot listen on 127.0.0.1" in failed_start(released, server.port)


def failed_start(home, port):
    command = [Path(sys.executable).with_name("loan-pipeline"), "serve", "--port", str(port)]
    environment = os.environ | {"LOAN_HOME": str(home), "WEB_HOST": "127.0.0.1"}
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode != 0
    return ended.stderr


def recorded_ids(home):
    with closing(sqlite3.connect(home / PREDICTION_LOG_FILE)) as connection:
        return {row[0] for row in connection.execute("SELECT request_id FROM predictions")}
