"""Training, export and scoring with the default recipe, against AutoGluon's own predictor.

The peer answers the same questions with the same model: one row, and a batch of 100,000 rows,
through `predict_proba` after `persist()`.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from loan_pipeline.contracts.bundle import ONNX_INPUT, ONNX_OUTPUT
from loan_pipeline.measure import loans_from
from loan_pipeline.model import quiet
from loan_pipeline.model.export import export_onnx
from loan_pipeline.model.inputs import model_inputs
from loan_pipeline.model.parity import check_parity, random_inputs
from loan_pipeline.model.recipes import recipe
from loan_pipeline.model.train import train_predictor

BATCH_ROWS = 100_000
CHUNK_ROWS = 4_096


def main() -> dict[str, Any]:
    """Measure on the sample bank; prints a table and returns the figures."""
    loans = loans_from("sample")
    with tempfile.TemporaryDirectory(prefix="bench-model-") as folder:
        trained = train_predictor(
            loans, "behavioural", recipe("default"), "observed", Path(folder) / "model"
        )
        model, seconds_export = _timed(lambda: export_onnx(trained).SerializeToString())
        real = model_inputs(loans, "behavioural")
        batch = random_inputs("behavioural", real, seed=0, rows=BATCH_ROWS)
        # As the scorer has it: a session of one thread, and a batch's parts side by side.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        pool = ThreadPoolExecutor(os.cpu_count())

        def run(table: Any) -> None:
            session.run([ONNX_OUTPUT], {ONNX_INPUT: table})

        def one_row() -> None:
            run(real[:1].to_numpy(dtype=np.float32))

        def whole_batch() -> None:
            table = batch.to_numpy(dtype=np.float32)
            parts = np.array_split(table, len(table) // CHUNK_ROWS)
            list(pool.map(run, parts))

        with quiet.libraries():
            trained.predictor.persist()
            figures = {
                "seconds_train": trained.facts.seconds_train,
                "seconds_export": seconds_export,
                "graph_bytes": len(model),
                "largest_difference": check_parity(trained, model, loans).largest_difference,
                "one_row_ms": {
                    "ours": _median_ms(one_row, 300),
                    "autogluon": _median_ms(lambda: trained.predictor.predict_proba(real[:1]), 15),
                },
                "batch_100000_rows_ms": {
                    "ours": _median_ms(whole_batch, 3),
                    "autogluon": _median_ms(lambda: trained.predictor.predict_proba(batch), 3),
                },
            }
    for name, figure in figures.items():
        print(f"{name:24} {_words(figure)}")
    return figures


def _words(figure: Any) -> str:
    if not isinstance(figure, dict):
        return f"{figure:,.3g}" if isinstance(figure, float) else f"{figure:,}"
    times = figure["autogluon"] / figure["ours"]
    return (
        f"ours {figure['ours']:,.3f}, AutoGluon {figure['autogluon']:,.1f}: {times:,.1f} x faster"
    )


def _timed(work: Callable[[], bytes]) -> tuple[bytes, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def _median_ms(work: Callable[[], object], times: int) -> float:
    work()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)


if __name__ == "__main__":
    main()
