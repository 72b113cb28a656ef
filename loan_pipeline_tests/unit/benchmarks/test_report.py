"""The benchmarks' page says what the figures say, and first of all where a peer is ahead."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks.comparison import Comparison, comparisons_in
from benchmarks.growth import bends, on_paper
from benchmarks.report import page

MACHINE = {
    "cores": 2,
    "processor": "a processor",
    "memory_gb": 24,
    "system": "Linux x86_64",
    "python": "3.11.7",
    "versions": {"duckdb": "1.5.6"},
    "load_before": 0.2,
}


def part(*comparisons: Comparison, **figures: Any) -> dict[str, Any]:
    """A part as `benchmarks.json` keeps it."""
    return {
        "measured_on": "2026-11-26",
        "machine": MACHINE,
        "seconds": 3.0,
        "figures": {"comparisons": [one.as_data() for one in comparisons], **figures},
    }


@pytest.mark.parametrize(
    ("better", "ours", "theirs", "ahead"),
    [
        ("lower", 1.0, 2.0, []),
        ("lower", 2.0, 1.0, ["peer"]),
        ("higher", 2.0, 1.0, []),
        ("higher", 1.0, 2.0, ["peer"]),
        ("lower", 1.0, 0.99, []),  # too close to call
    ],
)
def test_a_peer_is_ahead_where_its_figure_is_better_by_more_than_the_noise(
    better: Any, ours: float, theirs: float, ahead: list[str]
) -> None:
    assert Comparison("work", "s", ours, {"peer": theirs}, better).ahead() == ahead


def test_the_page_names_every_place_where_a_peer_is_ahead_and_the_machine() -> None:
    kept = {
        "features": part(
            Comparison("10 features", "s", 2.0, {"Polars": 1.0, "pandas": 8.0}),
            Comparison("memory", "GB", 1.0, {"Polars": 3.0}),
        ),
        "servers": part(Comparison("4 connections", "requests/s", 900, {"peer": 1800}, "higher")),
        "unknown part": part(Comparison("nothing", "s", 1, {"peer": 0.1})),
    }
    written = page(kept, {})
    behind = written.partition("## Where a peer is ahead")[2].partition("\n## ")[0]
    assert behind.count("\n- ") == 2
    assert "10 features: **Polars** 1 s, ours 2 (0.50)" in behind
    assert "4 connections: **peer** 1,800 requests/s, ours 900 (0.50)" in behind
    assert "| 10 features | 2 s | pandas | 8 s | 4.00 | ours |" in written
    for fact in ("a processor", "duckdb 1.5.6", "2026-11-26", "python -m benchmarks features"):
        assert fact in written
    assert "nothing" not in written


def test_a_busy_machine_and_moved_ratios_are_said() -> None:
    kept = part(Comparison("work", "s", 1.0, {"peer": 2.0}))
    kept["machine"] = MACHINE | {"load_before": 7.5}
    kept["ratios_before"] = {"work, peer": 1.6}
    written = page({"bank": kept}, {})
    assert "The machine was busy (load 7.5)" in written
    assert "Ratios of the run before: within 25%" in written


def test_parts_are_kept_one_by_one_with_the_ratios_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAN_HOME", str(tmp_path))
    figures = [1.0, 4.0, 2.0]

    def measured(name: str, _options: object) -> dict[str, Any]:
        return part(Comparison(name, "s", 1.0, {"peer": figures.pop(0)}))

    monkeypatch.setattr(command, "_run", measured)
    assert command.main(["bank", "lookup"]) == 0
    assert command.main(["bank"]) == 0
    kept = json.loads((tmp_path / "benchmarks.json").read_text())
    assert kept["bank"]["ratios_before"] == {"bank, peer": 1.0}
    assert [c.ratio("peer") for c in comparisons_in(kept["bank"])] == [2.0]
    assert [c.ratio("peer") for c in comparisons_in(kept["lookup"])] == [4.0]


def test_a_part_that_fails_does_not_keep_the_others_from_being_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOAN_HOME", str(tmp_path))

    def measured(name: str, _options: object) -> dict[str, Any]:
        if name == "bank":
            raise RuntimeError("no server")
        return part(Comparison(name, "s", 1.0))

    monkeypatch.setattr(command, "_run", measured)
    assert command.main(["bank", "lookup"]) == 1
    assert set(json.loads((tmp_path / "benchmarks.json").read_text())) == {"lookup"}
    assert "bank failed: RuntimeError: no server" in capsys.readouterr().out


def test_every_part_can_be_run_by_name() -> None:
    for name in (*command.PARTS, *command.BY_NAME_ONLY):
        source = (Path(command.__file__).parent / f"{name}.py").read_text()
        assert "def main(" in source


def scale(seconds: float, gigabytes: float) -> dict[str, Any]:
    """A run of the whole pipeline at one scale."""
    steps = {"snapshot": {"seconds": seconds, "peak_gigabytes": gigabytes}}
    return {"seconds": seconds, "peak_gigabytes": gigabytes, "load_before": 0.1, "steps": steps}


def test_on_paper_time_grows_by_the_measured_slope() -> None:
    lines = on_paper({"10": scale(20.0, 1.0), "30": scale(40.0, 2.0)})
    (row,) = [line for line in lines if line.startswith("| snapshot")]
    # One second more for each public bank more, of which ten billion transactions are 9,467.
    assert "| 1.00 s |" in row
    assert "| 2.6 h |" in row


def test_the_slopes_between_scales_are_told_in_the_order_of_the_scales() -> None:
    scales = {"100": scale(200.0, 3.0), "1": scale(2.0, 0.5), "10": scale(20.0, 1.0)}
    assert "takes 2.0 s from 1 to 10, 2.0 s from 10 to 100." in bends(scales)[0]
    assert bends({"1": scale(2.0, 0.5)}) == []


def test_pictures_are_drawn_of_what_was_measured_and_stay_the_same_file(tmp_path: Path) -> None:
    from benchmarks.plots import write_plots

    kept = {
        "scale": part(scales={"1": scale(3, 0.5), "10": scale(20, 1), "100": scale(200, 3)}),
        "servers": part(per_second={"this app": {"1": 900.0, "4": 1500.0}}),
        "lookup": part(Comparison("look-up", "ms", 0.01, {"Feast": 0.4})),
    }
    drawn = write_plots(kept, tmp_path)
    assert set(drawn) == {"scale", "servers"}
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(first) == {"scale.svg", "servers.svg", "overview.svg"}
    write_plots(kept, tmp_path)
    assert first == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert b"snapshot" in first["scale.svg"]
    assert b"Feast" in first["overview.svg"]
