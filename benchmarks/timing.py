"""How the benchmarks measure: runs in turn, so that all meet the same machine; medians; memory."""

import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path


def alternating(*runs: Callable[[], object], repeats: int) -> list[float]:
    """The median seconds of each run, after `repeats` rounds of one after the other."""
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for run, measured in zip(runs, seconds, strict=True):
            started = time.perf_counter()
            run()
            measured.append(time.perf_counter() - started)
    return [statistics.median(measured) for measured in seconds]


def peak_bytes() -> int:
    """The most that this process ever held; `ru_maxrss` would count its parent's before `exec`."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024
