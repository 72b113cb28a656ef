"""The whole pipeline on growing sample banks: seconds and peak memory of each step.

    python -m benchmarks scale                     1, 10, 30 and 100 times the public bank
    python -m benchmarks scale --scales 1,10       these scales

One process runs every step; its peak of resident memory is read from Linux when a step has ended,
and set back (`/proc/PID/clear_refs`), so that each step has a peak of its own.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SCALES = (1, 10, 30, 100)
GIGABYTES_ALLOWED = 4.0
# Time may grow this much faster than the bank, from 10 on.
GROWTH_ALLOWED = 1.1
_STEP = re.compile(r"[✓✗] (?P<step>\S.*?)\s+(?P<seconds>[\d.]+) s\s*$")


def main(scales: Sequence[int] = SCALES) -> dict[str, Any]:
    """Run the pipeline on a sample bank of each scale; print a table and return the figures."""
    if not Path("/proc/self/clear_refs").exists():
        print("skipped: a step's own peak of memory is read from Linux's /proc")
        return {"skipped": "no /proc/PID/clear_refs"}
    runs = {str(scale): _run(str(scale)) for scale in scales}
    for scale, figures in runs.items():
        print(
            f"scale {scale}: {figures['seconds']:.0f} s, peak {figures['peak_gigabytes']:.2f} GB "
            f"(at most {GIGABYTES_ALLOWED:g}), load before {figures['load_before']:.1f}"
        )
    steps = dict.fromkeys(step for figures in runs.values() for step in figures["steps"])
    print(f"{'step':<36}" + "".join(f"{f'{scale} x':>18}" for scale in runs))
    for step in steps:
        cells = (figures["steps"].get(step) for figures in runs.values())
        print(f"{step:<36}" + "".join(f"{_cell(cell):>18}" for cell in cells))
    return {"scales": runs, "gigabytes_allowed": GIGABYTES_ALLOWED} | _growth(runs)


def _cell(step: dict[str, float] | None) -> str:
    return f"{step['seconds']:.1f} s {step['peak_gigabytes']:.2f} GB" if step else "-"


def _growth(runs: dict[str, dict[str, Any]]) -> dict[str, float]:
    """By how much more the time has grown than the bank, from scale 10 to 100."""
    if not {"10", "100"} <= set(runs):
        return {}
    growth = runs["100"]["seconds"] / runs["10"]["seconds"] / 10
    print(f"time from 10 to 100: {growth:.2f} x the bank's growth (at most {GROWTH_ALLOWED})")
    return {"growth": growth, "growth_allowed": GROWTH_ALLOWED}


def _run(scale: str) -> dict[str, Any]:
    load = os.getloadavg()[0]
    steps: dict[str, dict[str, float]] = {}
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="bench-scale-") as home:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LOAN_")},
            "LOAN_HOME": home,
        }
        command = Path(sys.executable).with_name("loan-pipeline")
        with subprocess.Popen(
            [command, "run", "--source", f"sample:scale={scale}"],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stderr is not None
            last = []
            for line in process.stderr:
                last = [*last[-20:], line]
                if match := _STEP.search(line):
                    peak = _peak_since_last(process.pid)
                    steps[match["step"]] = {
                        "seconds": float(match["seconds"]),
                        "peak_gigabytes": peak,
                    }
    if process.returncode:
        raise RuntimeError(f"the run of scale {scale} failed:\n{''.join(last)}")
    return {
        "seconds": time.perf_counter() - started,
        "peak_gigabytes": max(step["peak_gigabytes"] for step in steps.values()),
        "load_before": load,
        "steps": steps,
    }


def _peak_since_last(pid: int) -> float:
    """The process's largest resident memory since this was last asked, in GB."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    except OSError:  # it has ended meanwhile
        return 0.0
    match = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(match[1]) * 1024 / 1e9 if match else 0.0


if __name__ == "__main__":
    main(*sys.argv[1:])
