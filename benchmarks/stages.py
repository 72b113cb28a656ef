"""The whole run by stage, and the same steps as plain functions: what orchestration costs.

Both start in a process of their own and release the same models, which is checked by their bytes.
Also how long the definitions take to load, which Dagster does in a new process for each run.
"""

import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.comparison import Comparison
from benchmarks.released import environment_of
from loan_pipeline.contracts.bundle import model_file
from loan_pipeline.contracts.features import FEATURE_SET_NAMES
from loan_pipeline.lake.open import open_store
from loan_pipeline.scoring.release import fetch_release

REPEATS = 2
_LOAD = (
    "from loan_pipeline.definitions import build_defs; "
    "from loan_pipeline.settings import load_settings; "
    "build_defs(load_settings()).resolve_all_job_defs()"
)
_STEP = re.compile(r"✓ (?P<step>\S.*?)\s+(?P<seconds>[\d.]+) s\s*$", re.MULTILINE)


def main(source: str = "sample") -> dict[str, Any]:
    """Run both in turn from nothing, and compare; print and return seconds."""
    orchestrated, plain, steps = [], [], {}
    # Wall time is the neighbours' as well; what a run takes of the processors is its own.
    processor: dict[str, list[float]] = {"dagster": [], "plain": []}
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory(prefix="bench-stages-") as name:
            homes = {how: Path(name) / how for how in ("dagster", "plain")}
            seconds, of_processor, printed = _timed(_dagster(source), homes["dagster"])
            orchestrated.append(seconds)
            processor["dagster"].append(of_processor)
            steps = {m["step"]: float(m["seconds"]) for m in _STEP.finditer(printed)}
            seconds, of_processor, printed = _timed(
                [sys.executable, "-m", "benchmarks.plain_run", str(homes["plain"]), source],
                homes["plain"],
            )
            plain.append(seconds)
            processor["plain"].append(of_processor)
            stages = json.loads(printed.splitlines()[-1])
            assert _models(homes["dagster"]) == _models(homes["plain"]), "the releases differ"
    ours, theirs = min(processor["dagster"]), min(processor["plain"])
    share = 1 - theirs / ours
    words = (f"Orchestration (Dagster's start, events, records, plots) takes {share:.0%} of the "
             f"processors' time; by the clock {min(orchestrated):.1f} s "
             f"and {min(plain):.1f} s.")  # fmt: skip
    comparisons = [
        Comparison(
            "the whole pipeline, from an empty folder to both releases and the portfolio",
            "s of the processors",
            ours,
            {"the same steps as plain functions": theirs},
            goal="at most 20 % orchestration",
            note="Both released the same models, byte by byte.",
        ),
        Comparison(
            "definitions, loaded by a new process",
            "s of the processors",
            _loading(),
            goal="under 4 s",
        ),
    ]
    print(words)
    for step, taken in steps.items():
        print(f"  {step:40} {taken:6.1f} s")
    return {
        "comparisons": [comparison.as_data() for comparison in comparisons],
        "orchestration_share": share,
        "steps": steps,
        "plain_stages": stages,
        "notes": [words] + [f"{step}: {taken:.1f} s" for step, taken in steps.items()],
    }


def _loading() -> float:
    """Seconds of a new process that imports everything and builds every job."""
    with tempfile.TemporaryDirectory(prefix="bench-stages-") as home:
        command = [sys.executable, "-c", _LOAD]
        return min(_timed(command, Path(home))[1] for _ in range(REPEATS + 1))


def _dagster(source: str) -> list[str]:
    return [str(Path(sys.executable).with_name("loan-pipeline")), "run", "--source", source]


def _timed(command: list[str], home: Path) -> tuple[float, float, str]:
    """Seconds of a command and of the processors, and what it printed, errors first."""
    started, before = time.perf_counter(), _processor_seconds()
    done = subprocess.run(
        command, env=environment_of(home), capture_output=True, text=True, check=True
    )
    taken = time.perf_counter() - started, _processor_seconds() - before
    return *taken, f"{done.stderr}\n{done.stdout}"


def _processor_seconds() -> float:
    """What the processes that have ended took so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _models(home: Path) -> dict[str, str]:
    """The SHA-256 of each released model."""
    store = open_store((home / "lake").as_uri())
    found = {}
    for name in FEATURE_SET_NAMES:
        folder = fetch_release(store, name, home / "cache")
        manifest = json.loads((folder / "manifest.json").read_text())
        found[name] = manifest["files"][model_file("onnx")]["sha256"]
    return found
