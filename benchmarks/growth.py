"""Why the lines of `scale` bend, and what a far larger bank needs by their slopes."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from loan_pipeline.duckdb_connection import COMPUTING_GB, STREAMING_GB

TRANSACTIONS_OF_ONE = 1_056_320  # of the public bank
WANTED = 10_000_000_000
_HOUR = 3600.0
_WHY = f"""
- On the logarithmic axes they start nearly flat: most of the time at 1 is what any bank takes,
  AutoGluon's set-up, the number of trees, the trainings of the rolling origin.
- Metrics grow no further where a bank has more loans than they take: 4,000 in the rolling origin,
  1,000 in the importance of features. Until then they add most.
- Training grows faster than the loans; why was not looked into.
- All else is straight from 10 on. The fill is the steepest, since one Python process makes the
  sample bank's rows, the first ten million as fast as the last; a bank's own database is not
  filled. By a quarter its slope differs from run to run.
- Of memory DuckDB may hold {STREAMING_GB:g} GB in a step, for the features {COMPUTING_GB:g},
  and spills what is beyond; Python's own comes on top."""


def bends(scales: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Seconds for each public bank more, and why they are not the same everywhere.

    Lines of Markdown, from the runs of `scale` as `on_paper` takes them.
    """
    known = sorted(scales, key=float)
    if len(known) < 2:
        return []
    slopes = [
        f"{(scales[b]['seconds'] - scales[a]['seconds']) / (float(b) - float(a)):.1f} s from {a} "
        f"to {b}"
        for a, b in pairwise(known)
    ]
    whole = f"Of the whole run each public bank more takes {', '.join(slopes)}. Why the lines bend:"
    return [whole, *_WHY.splitlines()]


def on_paper(scales: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A table: each step's slope between the two largest scales, and what follows for the rest.

    Args:
        scales: the runs of `scale`, by how many times the public bank.

    Returns:
        Lines of Markdown; none where fewer than two scales were measured.
    """
    known = sorted(scales, key=float)
    if len(known) < 2:
        return []
    small, large = known[-2:]
    more = float(large) - float(small)
    times = WANTED / TRANSACTIONS_OF_ONE
    introduction = (
        f"On paper, for 10 million accounts and 10 billion transactions ({times:,.0f} times the "
        f"public bank): each step by its slope from scale {small} to {large}, on this machine "
        "alone. What grows with the accounts needs less than this: they are 2,222 times as many. "
        "Memory is what a step would need if it grew on; DuckDB's steps spill to disk instead."
    )
    lines = [
        introduction,
        "",
        "| step | seconds more for each public bank | time | memory more | memory |",
        "| --- | --- | --- | --- | --- |",
    ]
    for step, found in scales[large]["steps"].items():
        before = scales[small]["steps"].get(step)
        if before is None:
            continue
        seconds = max((found["seconds"] - before["seconds"]) / more, 0)
        memory = max((found["peak_gigabytes"] - before["peak_gigabytes"]) / more, 0)
        far = times - float(large)
        lines.append(
            f"| {step} | {seconds:.2f} s | {_time(found['seconds'] + seconds * far)} | "
            f"{1000 * memory:.0f} MB | {found['peak_gigabytes'] + memory * far:,.0f} GB |"
        )
    return lines


def _time(seconds: float) -> str:
    return f"{seconds / _HOUR:.1f} h" if seconds >= _HOUR else f"{seconds / 60:.0f} min"
