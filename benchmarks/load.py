"""Load on a server over HTTP: latencies by turns, and answers a second over connections."""

import http.client
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class Target:
    """A request that a server answers.

    Attributes:
        requests: how often a round of `latencies` asks it; fewer for what takes long.
    """

    port: int
    url: str
    body: bytes
    requests: int
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


def latencies(targets: Mapping[str, Target], rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds `p50`, `p95`, `p99` and `mean` of each, in rounds by turns after one to warm up.

    Each round has an order of its own, so that no server always follows the same other.

    All are the medians of the rounds', so that one bad moment of the machine spoils none.
    """
    found: dict[str, list[list[float]]] = {name: [] for name in targets}
    orders = random.Random(0)  # noqa: S311 - the same in each run
    for number in range(rounds + 1):
        for name in orders.sample(list(targets), len(targets)):
            milliseconds = _in_a_row(targets[name])
            if number:
                found[name].append(milliseconds)
    return {name: medians([_of_round(one) for one in each]) for name, each in found.items()}


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each figure that the rounds have, the median."""
    return {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}


def _of_round(milliseconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {f"p{n}": cuts[n - 1] for n in PERCENTILES} | {"mean": statistics.mean(milliseconds)}


def _in_a_row(target: Target) -> list[float]:
    """What each request of one connection took."""
    milliseconds = []
    with target.connected() as ask:
        ask()  # connects: a server may close connections that wait for the others' turns
        for _ in range(target.requests):
            started = time.perf_counter()
            ask()
            milliseconds.append(1000 * (time.perf_counter() - started))
    return milliseconds


def per_second(
    servers: Mapping[str, Sequence[Target]], connections: int, rounds: int, seconds: float
) -> dict[str, float]:
    """Answers a second to that many connections at once, by turns; the medians of the rounds.

    Args:
        servers: by name, the targets that the connections are spread over.
        connections: how many.
        rounds: how many turns each server gets.
        seconds: how long one turn lasts.
    """
    found: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, targets in servers.items():
            found[name].append(_answers(targets, connections, seconds) / seconds)
    return {name: statistics.median(rates) for name, rates in found.items()}


def _answers(targets: Sequence[Target], connections: int, seconds: float) -> int:
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
    return sum(counts)
