"""Training, export and scoring with the default recipe, against AutoGluon's own predictor.

Ours is the scorer, as the web app has it. The peer answers the same questions with the same model:
one row, and a batch of 100,000 rows, through `predict_proba` after `persist()`.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.comparison import Comparison
from loan_pipeline.export.export import export_onnx
from loan_pipeline.export.parity import check_parity, random_inputs
from loan_pipeline.load_loans import load_loans
from loan_pipeline.scoring.bundle import load_bundle
from loan_pipeline.scoring.scorer import Scorer
from loan_pipeline.training.inputs import model_inputs
from loan_pipeline.training.recipes import recipe
from loan_pipeline.training.silence import silence_libraries
from loan_pipeline.training.train import train_predictor
from loan_pipeline_tests.helpers.bundles import write_bundle

BATCH_ROWS = 100_000


def main() -> dict[str, Any]:
    """Measure on the sample bank; prints a table and returns the figures."""
    loans = load_loans("sample")
    with tempfile.TemporaryDirectory(prefix="bench-model-") as folder:
        trained = train_predictor(
            loans, "behavioural", recipe("default"), "observed", Path(folder) / "model"
        )
        model, seconds_export = _timed(lambda: export_onnx(trained).SerializeToString())
        real = model_inputs(loans, "behavioural")
        batch = random_inputs(trained.features, real, seed=0, rows=BATCH_ROWS)
        reference = trained.facts.reference
        write_bundle(Path(folder) / "bundle", "behavioural", model=model, typical=reference)
        scorer = Scorer(load_bundle(Path(folder) / "bundle"))

        def ours(table: Any) -> object:
            return scorer.probabilities(table.to_numpy(dtype=np.float32))

        def autogluon(table: Any) -> object:
            return trained.predictor.predict_proba(table)

        with silence_libraries():
            trained.predictor.persist()
            figures = {
                "seconds_train": trained.facts.seconds_train,
                "seconds_export": seconds_export,
                "graph_bytes": len(model),
                "largest_difference": check_parity(trained, model, loans).largest_difference,
                "one_row_ms": _medians_ms(ours, autogluon, real[:1], 31, at_once=50),
                "batch_100000_rows_ms": _medians_ms(ours, autogluon, batch, 7),
            }
    for name, figure in figures.items():
        print(f"{name:24} {_words(figure)}")
    works = {
        "one_row_ms": "one row through the scorer",
        "batch_100000_rows_ms": f"{BATCH_ROWS:,} rows through the scorer",
    }
    comparisons = [
        Comparison(work, "ms", figures[key]["ours"],
                   {"AutoGluon's predict_proba, persisted": figures[key]["autogluon"]})
        for key, work in works.items()
    ]  # fmt: skip
    return {"comparisons": [comparison.as_data() for comparison in comparisons], **figures}


def _words(figure: Any) -> str:
    if not isinstance(figure, dict):
        return f"{figure:,.3g}" if isinstance(figure, float) else f"{figure:,}"
    times = figure["autogluon"] / figure["ours"]
    return (
        f"ours {figure['ours']:,.3f}, AutoGluon {figure['autogluon']:,.1f}: {times:,.1f} x faster"
    )


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def _medians_ms(
    ours: Callable[[Any], object],
    autogluon: Callable[[Any], object],
    table: Any,
    turns: int,
    at_once: int = 1,
) -> dict[str, float]:
    """Both in turns, so that whatever else the machine does slows both.

    Args:
        ours: the scorer's answer to a table.
        autogluon: its answer.
        table: what is asked.
        turns: how many.
        at_once: how often ours answers in each turn, so that it need not always start cold.
    """
    taken: dict[str, list[float]] = {"ours": [], "autogluon": []}
    for turn in range(turns + 1):
        for name, work in (*[("ours", ours)] * at_once, ("autogluon", autogluon)):
            _, seconds = _timed(lambda work=work: work(table))
            if turn:  # the first warms up
                taken[name].append(1000 * seconds)
    return {name: statistics.median(found) for name, found in taken.items()}


if __name__ == "__main__":
    main()
