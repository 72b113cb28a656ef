"""FastAPI with onnxruntime for the score and SHAP for the reasons.

It looks nothing up and records nothing: every account's row is there already, in memory.
"""

import os

import numpy as np
import onnxruntime
import uvicorn
from answer import answer
from fastapi import FastAPI
from pydantic import BaseModel
from shap_reasons import tree_explainer


class Loan(BaseModel):
    """What is asked."""

    account_id: int
    amount: float
    duration: int


def main(
    graph: str, names: list[str], rows: dict[str, list[float | None]], null_as: float,
    trees: list[dict], baseline: list[float],
) -> None:  # fmt: skip
    """Serve until it is ended."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options)
    table = {int(account): np.array(row, dtype=np.float32) for account, row in rows.items()}
    explainer = tree_explainer(trees, baseline)
    app = FastAPI()

    def probabilities(of: np.ndarray) -> list[float]:
        return session.run(["probability_paid_off"], {"features": of})[0].reshape(-1).tolist()

    @app.get("/healthz")
    def healthz() -> str:
        return "alive"

    @app.post("/api/v1/predictions")
    def predict(loan: Loan) -> dict:
        row = table[loan.account_id]
        filled = np.where(np.isnan(row), np.float32(null_as), row).astype(np.float64)
        values = explainer.shap_values(filled[None, :], check_additivity=False).reshape(-1)
        order = np.argsort(-np.abs(values))
        reasons = [
            {"feature": names[n], "value": None if np.isnan(row[n]) else float(row[n]),
             "contribution": float(values[n])}
            for n in order if abs(values[n]) > 1e-6
        ]  # fmt: skip
        return {"probability_paid_off": probabilities(row[None, :])[0], "reasons": reasons}

    @app.post("/api/v1/predictions/batch")
    def batch(loans: list[Loan]) -> list[float]:
        return probabilities(np.array([table[loan.account_id] for loan in loans]))

    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["WEB_PORT"]), log_level="warning")


if __name__ == "__main__":
    answer(main)
