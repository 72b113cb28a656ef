"""Runs the benchmarks, each part beside its peers: `make bench`.

    python -m benchmarks [PART …] [--scales 1,10] [--source DIR] [--minutes 5] [--write-docs]

Prints as it goes. Figures are kept in `benchmarks.json` in LOAN_HOME, part by part, with machine
and day; `--write-docs` puts them in the place of the parts that `docs/benchmarks.md` had before.
"""

import argparse
import importlib
import inspect
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.comparison import comparisons_in
from benchmarks.machine import machine
from benchmarks.report import write_docs
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.settings import load_settings

# In the order of the data; `soak` runs for as long as it is asked to, so only by name.
PARTS = (
    "bank", "snapshot", "features", "spark", "lookup", "model", "quality", "reasons", "serving",
    "servers", "stages", "scale",
)  # fmt: skip
BY_NAME_ONLY = ("soak", "model_writeup")
FAILURES = (
    *(AssertionError, LoanPipelineError, OSError),
    *(RuntimeError, subprocess.SubprocessError, ValueError),
)


def main(arguments: list[str]) -> int:
    """Run the named parts, or all; 0 where all ran."""
    options = _parser().parse_args(arguments)
    path = load_settings().home / "benchmarks.json"
    failed = []
    for name in options.parts or ([] if options.write_docs else PARTS):
        print(f"\n== {name}", flush=True)
        try:
            _keep(path, name, _run(name, options))
        except FAILURES as error:  # the other parts are measured all the same
            print(f"{name} failed: {type(error).__name__}: {error}")
            failed.append(name)
    if options.write_docs:
        write_docs(_kept(path))
    print(f"\nAll figures: {path}")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    known = PARTS + BY_NAME_ONLY
    parser.add_argument("parts", nargs="*", choices=[*known, []], metavar="PART",
                        help=", ".join(known))  # fmt: skip
    parser.add_argument("--scales", type=lambda text: tuple(map(int, text.split(","))),
                        help="of features, spark, scale: in sizes of the public bank")  # fmt: skip
    parser.add_argument("--source", help="of quality: a folder of PKDD'99 files, for real loans")
    parser.add_argument("--minutes", type=float, help="of soak")
    parser.add_argument("--write-docs", action="store_true", help="docs/benchmarks.md")
    return parser


def _run(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """A part's figures, with the time and the machine they belong to."""
    work = importlib.import_module(f"benchmarks.{name}").main
    taken = inspect.signature(work).parameters
    given = {key: getattr(options, key) for key in ("scales", "source", "minutes") if key in taken}
    described, started = machine(), time.monotonic()
    figures = work(**{key: value for key, value in given.items() if value is not None})
    return {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "machine": described,
        "seconds": time.monotonic() - started,
        "figures": figures,
    }


def _kept(path: Path) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return known


def _keep(path: Path, name: str, run: dict[str, Any]) -> None:
    """Keep a part's figures beside the others', and the ratios that it had before."""
    known = _kept(path)
    if name in known:
        run["ratios_before"] = ratios(known[name]["figures"])
    known[name] = run
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known, indent=2, default=str) + "\n")


def ratios(figures: object) -> dict[str, float]:
    """Every comparison's ratio by work and peer."""
    return {
        f"{comparison.work}, {peer}": comparison.ratio(peer)
        for comparison in comparisons_in(figures)
        for peer in comparison.peers
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
