"""A whole `POST /api/v1/predictions` against a bare Flask route and against AutoGluon in the app.

All three are served alike: waitress with four threads, kept connections, this machine alone. The
bare route reads the JSON and answers the same JSON, Flask's own way, without doing anything for it.
Ours validates, looks the account up, scores, explains, records, counts and logs. Then ours again,
while slow clients hold half requests open.
"""

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.comparison import Comparison
from benchmarks.load import Target, latencies, medians, per_second
from benchmarks.reasons import accounts
from benchmarks.released import AMOUNT, DURATION, released_bundle, released_home
from benchmarks.serving_server import AUTOGLUON, BARE, OURS, script, served
from loan_pipeline.scoring.scorer import Scorer
from loan_pipeline_tests.helpers.slow_clients import SlowClients

URL = "/api/v1/predictions"
PEER = "AutoGluon in the app"
ROUNDS, REQUESTS = 15, 600  # requests per round and server: p99 is a round's sixth slowest
AUTOGLUON_REQUESTS = 25  # in as many rounds, so that both meet the same moments
CONNECTIONS = 4
ROUNDS_OF_LOAD, SECONDS_OF_LOAD = 9, 1.0
HALF_OPEN = SLOW_BODIES = 50
RATIO_ALLOWED = 2.0
AUTOGLUON_RATIO_WANTED = 40.0
SLOW_RATIO_ALLOWED = 2.0  # of p99, beside slow clients to without


def main() -> dict[str, Any]:
    """Serve the sample bank's release in all three ways; print a table and return the figures."""
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as folder:
        return _compare(Path(folder))


def _compare(folder: Path) -> dict[str, Any]:
    home = released_home()
    bundle = released_bundle(home)
    predictor = home / "models/behavioural" / bundle.manifest.training.predictor_id
    account = accounts(bundle, 1)[0]
    body = json.dumps({"account_id": account, "amount": AMOUNT, "duration": DURATION})
    own_home = folder / "home"
    own_home.mkdir()
    environment = {"LOAN_LAKE_URL": (home / "lake").as_uri()}
    with ExitStack() as stack:

        def start(name: str, command: list[str], requests: int = REQUESTS) -> Target:
            server = served(command, own_home, folder / f"{name}.log", environment)
            return Target(stack.enter_context(server), URL, body.encode(), requests)

        targets = {"this app": start("ours", OURS)}
        answer = targets["this app"].answer()
        (folder / "answer.json").write_bytes(answer)
        bare = BARE.format(answer=str(folder / "answer.json"))
        targets["bare Flask route"] = start("bare", script(folder / "bare.py", bare))
        scorer = Scorer(bundle)
        row = scorer.named(scorer.account_row(account, AMOUNT, DURATION))
        (folder / "row.json").write_text(json.dumps([row]))  # NaN, as Python reads it back
        peer = AUTOGLUON.format(predictor=str(predictor), row=str(folder / "row.json"))
        with_autogluon = script(folder / "autogluon_app.py", peer)
        targets[PEER] = start("autogluon", with_autogluon, AUTOGLUON_REQUESTS)
        figures = latencies(targets, ROUNDS)
        slow = _beside_slow_clients(body, targets["this app"])
        rates = per_second(
            {name: [target] for name, target in targets.items()},
            CONNECTIONS, ROUNDS_OF_LOAD, SECONDS_OF_LOAD,
        )  # fmt: skip
    for name, rate in rates.items():
        figures[name]["per_second"] = rate
    model = f"behavioural {bundle.manifest.version}"
    print(f"model: {model}; {len(json.loads(answer)['reasons'])} reasons in each answer")
    return _result(model, figures, slow)


def _result(
    model: str, figures: dict[str, dict[str, float]], slow: dict[str, dict[str, float]]
) -> dict[str, Any]:
    """Print the figures and their ratios; both as data."""
    _print(figures | slow)
    ours, bare = figures["this app"], figures["bare Flask route"]
    result: dict[str, Any] = {
        "comparisons": [comparison.as_data() for comparison in _comparisons(figures, slow)],
        "model": model,
        "figures": figures | slow,
        "ratio_to_bare_p50": ours["p50"] / bare["p50"],
        "ratio_to_bare_allowed": RATIO_ALLOWED,
        "slow_clients_p99_ratio": slow["beside slow clients"]["p99"] / slow["without them"]["p99"],
        "slow_clients_p99_ratio_allowed": SLOW_RATIO_ALLOWED,
    }
    print(f"{result['ratio_to_bare_p50']:.2f} x a bare Flask route (at most {RATIO_ALLOWED})")
    print(
        f"{result['slow_clients_p99_ratio']:.2f} x the p99 beside {HALF_OPEN} half-open and "
        f"{SLOW_BODIES} slow clients (at most {SLOW_RATIO_ALLOWED})"
    )
    result["faster_than_autogluon_p50"] = figures[PEER]["p50"] / ours["p50"]
    result["faster_than_autogluon_wanted"] = AUTOGLUON_RATIO_WANTED
    print(f"{result['faster_than_autogluon_p50']:.0f} x faster than AutoGluon in the app")
    return result


def _comparisons(
    figures: dict[str, dict[str, float]], slow: dict[str, dict[str, float]]
) -> list[Comparison]:
    peers = [name for name in figures if name != "this app"]
    works = {
        "p50": ("a whole request with reasons, p50", "ms"),
        "p95": ("a whole request with reasons, p95", "ms"),
        "per_second": (f"{CONNECTIONS} connections at once", "requests/s"),
    }
    return [
        Comparison(work, unit, figures["this app"][key], {p: figures[p][key] for p in peers},
                   "higher" if key == "per_second" else "lower",
                   f"{RATIO_ALLOWED:g} x a bare route, {AUTOGLUON_RATIO_WANTED:g} x AutoGluon",
                   note="The bare route does nothing for its answer: it is the limit of Flask.")
        for key, (work, unit) in works.items()
    ] + [
        Comparison(f"p99 beside {HALF_OPEN} half-open and {SLOW_BODIES} slow clients", "ms",
                   slow["beside slow clients"]["p99"],
                   {"ours without them": slow["without them"]["p99"]},
                   goal=f"at most {SLOW_RATIO_ALLOWED:g} x")
    ]  # fmt: skip


def _beside_slow_clients(body: str, target: Target) -> dict[str, dict[str, float]]:
    """Latencies with and without clients that never finish their requests, by turns."""
    rounds: dict[str, list[dict[str, float]]] = {"without them": [], "beside slow clients": []}
    for _ in range(ROUNDS):
        rounds["without them"] += latencies({"": target}, 1).values()
        with SlowClients(target.port, half_open=HALF_OPEN, slow_bodies=SLOW_BODIES, body=body):
            rounds["beside slow clients"] += latencies({"": target}, 1).values()
    return {name: medians(found) for name, found in rounds.items()}


def _print(figures: dict[str, dict[str, float]]) -> None:
    print(f"{'':24}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}{'per second':>12}")
    for name, found in figures.items():
        rate = f"{found['per_second']:12,.0f}" if "per_second" in found else ""
        print(f"{name:24}{found['p50']:10.2f}{found['p95']:10.2f}{found['p99']:10.2f}{rate}")


if __name__ == "__main__":
    main()
