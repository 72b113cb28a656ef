"""The soak at twelve seconds: it sends what it says, and finds what it looks for."""

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import soak

pytestmark = pytest.mark.slow


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_mixed_traffic_over_two_releases_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # In so short a time the server still warms up.
    monkeypatch.setattr(soak, "MEGABYTES_ALLOWED", 40.0)
    figures = soak.main(minutes=12 / 60)
    assert set(figures["answers"]) == {"page", "API", "batch"}
    assert all(count > 5 for count in figures["answers"].values())
    assert figures["releases"] == 2
    assert sum(count for kind, count in figures["store"].items() if kind != "None") > 0
    assert figures["problems"] == []
    assert "megabytes_an_hour" in capsys.readouterr().out


def test_lost_lines_grown_memory_and_wrong_answers_are_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic = soak._Traffic(0.0, Counter({"API": 2}), Counter({"v1": 2}), ["API: 500"])
    log = tmp_path / "server.log"
    log.write_text(json.dumps({"message": "request answered"}) + "\n")
    monkeypatch.setattr(soak, "_recorded", lambda _home: Counter({"v1": 1}))
    samples = [(10, 100.0)] * 30 + [(30, 180.0)] * 10
    problems = " ".join(soak._figures(traffic, samples, log, tmp_path)["problems"])
    for found in ("500", "2 answers but 1 lines", "recorded", "descriptors grew", "memory grew"):
        assert found in problems
