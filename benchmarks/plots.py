"""Pictures of `docs/benchmarks.md`: growth over scale, requests over connections, the overview."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.comparison import Comparison, comparisons_in

OURS, THEIRS = "#1b6e53", "#9aa5b1"
# Text stays text, and a picture of the same figures stays the same file.
_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "benchmarks", "font.size": 9}
_OVERVIEW = 12  # bars
_PLAIN = FuncFormatter(lambda value, _place: f"{value:g}")


def write_plots(parts: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """Draw what the figures allow; the pictures by the part they belong to."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    plots: dict[str, Callable[[Mapping[str, Any]], Figure | None]] = {
        "scale": _growth,
        "servers": _connections,
    }
    with mpl.rc_context(_STYLE):
        for name, plot in plots.items():
            if name in parts and (figure := plot(parts[name]["figures"])):
                drawn[name] = _saved(figure, folder / f"{name}.svg")
        if figure := _overview(parts):
            _saved(figure, folder / "overview.svg")
    return drawn


def _saved(figure: Figure, path: Path) -> Path:
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)
    return path


def _growth(figures: Mapping[str, Any]) -> Figure | None:
    """Seconds and peak memory of each step and of the whole over scale, on logarithmic axes."""
    runs: Mapping[str, Mapping[str, Any]] = figures.get("scales", {})
    if len(runs) < 2:
        return None
    scales = sorted(runs, key=float)
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    names = {"seconds": "seconds", "peak_gigabytes": "peak memory, GB"}
    for side, (key, label) in zip(axes, names.items(), strict=True):
        steps = dict.fromkeys(step for run in runs.values() for step in run["steps"])
        for number, step in enumerate(steps):
            of_step = {s: runs[s]["steps"][step][key] for s in scales if step in runs[s]["steps"]}
            # There are ten colours: those used again are dashed.
            side.plot([float(s) for s in of_step], list(of_step.values()), marker=".", label=step,
                      linewidth=1, linestyle="-" if number < 10 else "--")  # fmt: skip
        whole = [runs[scale][key] for scale in scales]
        side.plot([float(scale) for scale in scales], whole, marker="o", color=OURS,
                  linewidth=2.4, label="whole run")  # fmt: skip
        side.set(xscale="log", xlabel="times the public bank", ylabel=label)
        side.set_xticks([float(scale) for scale in scales], scales)
        side.minorticks_off()
    axes[0].set(yscale="log")
    axes[0].yaxis.set_major_formatter(_PLAIN)
    axes[1].set(ylim=0)
    axes[1].axhline(4, color=THEIRS, linestyle="--")
    axes[1].legend(fontsize=6, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _connections(figures: Mapping[str, Any]) -> Figure | None:
    """Requests a second over connections."""
    rates: Mapping[str, Mapping[str, float]] = figures.get("per_second", {})
    if not rates:
        return None
    figure, axes = plt.subplots(figsize=(5.5, 3.4))
    for server, by_count in rates.items():
        counts = sorted(map(int, by_count))
        axes.plot(counts, [by_count[str(c)] for c in counts], marker="o", label=server,
                  color=OURS if server.startswith("this app") else None,
                  linestyle="--" if "processes" in server else "-")  # fmt: skip
    axes.set(xscale="log", xlabel="connections", ylabel="requests a second", ylim=0)
    axes.set_xticks(
        *zip(*((int(count), count) for count in next(iter(rates.values()))), strict=True)
    )
    axes.minorticks_off()
    axes.legend(fontsize=7)
    return figure


def _overview(parts: Mapping[str, Any]) -> Figure | None:
    """Of each part the comparison with the best peer: how many times better ours is."""
    chosen: list[tuple[str, float]] = []
    for part in parts.values():
        for comparison in list(comparisons_in(part["figures"]))[:1]:
            if comparison.peers:
                peer = min(comparison.peers, key=comparison.ratio)
                chosen.append((_label(comparison, peer), comparison.ratio(peer)))
    chosen = chosen[:_OVERVIEW]
    if not chosen:
        return None
    figure, axes = plt.subplots(figsize=(8, 0.5 + 0.38 * len(chosen)))
    labels, ratios = zip(*reversed(chosen), strict=True)
    colours = [OURS if ratio >= 1 else THEIRS for ratio in ratios]
    axes.barh(labels, [ratio - 1 for ratio in ratios], left=1, color=colours)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set(xscale="log", xlabel="times better than the best peer (left of the line: the peer is)")
    axes.set_xlim(min(*ratios, 1) / 1.5, max(*ratios, 1) * 3)
    axes.xaxis.set_major_formatter(_PLAIN)
    for number, ratio in enumerate(ratios):
        axes.annotate(
            f" {ratio:,.0f}" if ratio >= 10 else f" {ratio:.2f}",
            (max(ratio, 1), number),
            va="center",
        )
    return figure


def _label(comparison: Comparison, peer: str) -> str:
    return f"{comparison.work}\nbeside {peer}"
