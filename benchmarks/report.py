"""`docs/benchmarks.md` and its figures: a table for each part, and where a peer is ahead."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.comparison import Comparison, comparisons_in
from benchmarks.growth import bends, on_paper

DOCS = Path(__file__).parents[1] / "docs"
FIGURES = DOCS / "benchmarks" / "figures.json"

_TITLES = {
    "bank": "Filling and reading MariaDB",
    "snapshot": "Exporting a snapshot",
    "features": "Features",
    "spark": "Features on a cluster",
    "lookup": "Looking up an account's features",
    "model": "Scoring with the model",
    "quality": "Quality of the model, rolling origin",
    "reasons": "Reasons",
    "serving": "Serving: the whole request",
    "servers": "Serving: other tools, and their footprint",
    "stages": "The whole run, and what orchestration costs",
    "scale": "Growth",
    "soak": "Soak",
}
_INTRODUCTION = """# Benchmarks

Made from [figures](benchmarks/figures.json) by `python -m benchmarks --write-docs`; do not edit.
`make bench` measures every part beside its peers, in turn, on the same work, in one run;
`python -m benchmarks PART` one part, and `--source DIR` the quality of models on a folder of
PKDD'99 files in place of the sample bank.

Peers are written as their own users would write them, and the run itself or a test checks that they
compute the same. Compare ratios, not seconds: machines differ, and are noisy. A ratio above 1 says
how many times better ours is; where a peer is ahead by more than 2 %, the table says so.
"""


def write_docs(measured: Mapping[str, Any]) -> None:
    """Write the page and its pictures: of these parts, and of those that were measured before."""
    from benchmarks.plots import write_plots  # matplotlib takes a second

    FIGURES.parent.mkdir(exist_ok=True)
    before = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    found = before | dict(measured)
    parts = {name: found[name] for name in (*_TITLES, *found) if name in found}
    FIGURES.write_text(json.dumps(parts, indent=1, default=str) + "\n")
    pictures = write_plots(parts, FIGURES.parent)
    (DOCS / "benchmarks.md").write_text(page(parts, pictures), encoding="utf-8")


def page(parts: Mapping[str, Any], pictures: Mapping[str, Path]) -> str:
    """The page in Markdown.

    Args:
        parts: figures by part, as `benchmarks.json` holds them.
        pictures: by the part they belong to.
    """
    known = {name: parts[name] for name in _TITLES if name in parts}
    blocks = [_INTRODUCTION, _behind(known)]
    for name, part in known.items():
        blocks.append(f"## {_TITLES[name]}\n")
        blocks += list(_tables(part["figures"]))
        if name in pictures:
            place = pictures[name].relative_to(DOCS).as_posix()
            blocks.append(f"![{_TITLES[name]}]({place})\n")
        blocks += [*(f"- {note}" for note in part["figures"].get("notes", ())), ""]
        if name == "scale":
            scales = part["figures"].get("scales", {})
            blocks += [*bends(scales), "", *on_paper(scales), ""]
        blocks.append(_source(name, part))
    blocks.append(_machines(known))
    return "\n".join(blocks).replace("\n\n\n", "\n\n")


def _behind(parts: Mapping[str, Any]) -> str:
    """Every place where a peer is ahead."""
    lines = [
        f"- {comparison.work}: **{peer}** {shown(comparison.peers[peer])} {comparison.unit}, ours "
        f"{shown(comparison.ours)} ({comparison.ratio(peer):.2f})"
        for part in parts.values()
        for comparison in comparisons_in(part["figures"])
        for peer in comparison.ahead()
    ]
    return "## Where a peer is ahead\n\n" + ("\n".join(lines) or "Nowhere in these runs.") + "\n"


def _tables(figures: object) -> Iterator[str]:
    rows = [row for comparison in comparisons_in(figures) for row in _rows(comparison)]
    if rows:
        yield "| work | ours | peer | the peer's | ratio | ahead | goal |"
        yield "| --- | --- | --- | --- | --- | --- | --- |"
        yield from rows
        yield ""
    notes = {c.note for c in comparisons_in(figures) if c.note}
    if notes:
        yield "\n".join(f"- {note}" for note in sorted(notes)) + "\n"


def _rows(comparison: Comparison) -> Iterator[str]:
    ours = f"{shown(comparison.ours)} {comparison.unit}"
    if not comparison.peers:
        yield f"| {comparison.work} | {ours} | | | | | {comparison.goal} |"
    ahead = comparison.ahead()
    for peer, value in comparison.peers.items():
        winner = f"**{peer}**" if peer in ahead else "ours" if _ours(comparison, peer) else "draw"
        yield (
            f"| {comparison.work} | {ours} | {peer} | {shown(value)} {comparison.unit} | "
            f"{comparison.ratio(peer):.2f} | {winner} | {comparison.goal} |"
        )


def _ours(comparison: Comparison, peer: str) -> bool:
    turned = {"lower": "higher", "higher": "lower"}[comparison.better]
    mirrored = Comparison("", "", comparison.ours, comparison.peers, turned)  # type: ignore[arg-type]
    return peer in mirrored.ahead()


def shown(value: float) -> str:
    """A figure with three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _source(name: str, part: Mapping[str, Any]) -> str:
    busy = part["machine"]["load_before"]
    noisy = f" The machine was busy (load {busy}): take the ratios alone." if busy > 1 else ""
    return (
        f"`python -m benchmarks {name}`, {part['measured_on']}, {part['seconds']:.0f} s."
        f"{noisy}{_repeated(part)}\n"
    )


def _repeated(part: Mapping[str, Any]) -> str:
    """How far the ratios are from those of the run before on the same machine."""
    before = part.get("ratios_before", {})
    now = {
        f"{comparison.work}, {peer}": comparison.ratio(peer)
        for comparison in comparisons_in(part["figures"])
        for peer in comparison.peers
    }
    changes = [abs(now[name] / before[name] - 1) for name in now if before.get(name)]
    return f" Ratios of the run before: within {max(changes):.0%}." if changes else ""


def _machines(parts: Mapping[str, Any]) -> str:
    lines = {
        (
            f"- {m['cores']} cores ({m['processor']}), {m['memory_gb']} GB, {m['system']}, Python "
            f"{m['python']}; " + ", ".join(f"{n} {v}" for n, v in m["versions"].items())
        )
        for m in (part["machine"] for part in parts.values())
    }
    return "## Machine\n\n" + "\n".join(sorted(lines)) + "\n"
