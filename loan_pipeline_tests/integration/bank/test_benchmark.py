"""The bank's benchmark at a small scale: it measures what it says."""

import pytest

from benchmarks import bank as benchmark


@pytest.mark.slow
def test_the_benchmark_measures_both_sides_on_the_same_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark, "FILL_REPEATS", 1)
    monkeypatch.setattr(benchmark, "READ_REPEATS", 1)
    figures = benchmark.main(scale=0.02)
    if "skipped" in figures:
        pytest.skip(figures["skipped"])
    fill, read = figures["fill"], figures["read"]
    assert fill["rows"] > read["rows"] > 10_000
    assert fill["ratio"] == fill["seconds"] / fill["load_data_seconds"]
    assert read["times_faster"] == read["pandas_seconds"] / read["seconds"]
    assert "LOAD DATA" in capsys.readouterr().out
