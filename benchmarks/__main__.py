"""Runs every benchmark side by side with its peer: `make bench`.

    python -m benchmarks [NAME[:ARGUMENT] …]

Prints tables as it goes and writes everything to `benchmarks.json` in LOAN_HOME.
"""

import importlib
import json
import sys
from pathlib import Path

from loan_pipeline.settings import Settings


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all that lie in this folder."""
    available = sorted(
        path.stem
        for path in Path(__file__).parent.glob("*.py")
        if "def main(" in path.read_text() and path.stem != "__main__"
    )
    arguments = {name: argument for name, _, argument in (each.partition(":") for each in names)}
    if unknown := sorted(set(arguments) - set(available)):
        print(f"no benchmark called {', '.join(unknown)}; there are: {', '.join(available)}")
        return 2
    results = {}
    for name in arguments or available:
        print(f"\n== {name}", flush=True)
        run = importlib.import_module(f"benchmarks.{name}").main
        results[name] = run(arguments[name]) if arguments.get(name) else run()
    home = Settings().home
    home.mkdir(parents=True, exist_ok=True)
    path = home / "benchmarks.json"
    path.write_text(json.dumps(results, indent=2, default=str) + "\n")
    print(f"\nAll figures: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
