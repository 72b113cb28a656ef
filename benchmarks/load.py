"""Load on a server over HTTP: latencies by turns, and answers a second over connections."""

import http.client
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A request that a server answers."""

    port: int
    url: str
    body: bytes
    type: str = "application/json"

    @contextmanager
    def connected(self) -> Iterator[Callable[[], bytes]]:
        """A kept connection: each call asks and returns the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

        def ask() -> bytes:
            connection.request("POST", self.url, self.body, {"Content-Type": self.type})
            response = connection.getresponse()
            answer = response.read()
            if response.status != 200:
                raise RuntimeError(f"{self.url} answered {response.status}: {answer[:500]!r}")
            return answer

        with closing(connection):
            yield ask

    def answer(self) -> bytes:
        """Ask once."""
        with self.connected() as ask:
            return ask()


def latencies(
    targets: Mapping[str, Target], rounds: int, requests: int
) -> dict[str, dict[str, float]]:
    """Milliseconds `p50` and `p99` of each, in rounds by turns after one to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in targets}
    for number in range(rounds + 1):
        for name, target in targets.items():
            with target.connected() as ask:
                ask()  # connects: a server may close connections that wait for the others' turns
                for _ in range(requests):
                    started = time.perf_counter()
                    ask()
                    if number:
                        seconds[name].append(time.perf_counter() - started)
    return {
        name: {
            "p50": 1000 * statistics.median(found),
            "p99": 1000 * statistics.quantiles(found, n=100)[98],
        }
        for name, found in seconds.items()
    }


def per_second(targets: Sequence[Target], connections: int, seconds: float) -> float:
    """Answers a second to that many connections at once, spread over the targets."""
    counts = [0] * connections
    deadline = time.monotonic() + seconds

    def ask(number: int) -> None:
        with targets[number % len(targets)].connected() as request:
            while time.monotonic() < deadline:
                request()
                counts[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds
