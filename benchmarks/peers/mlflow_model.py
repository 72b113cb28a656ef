"""Saves a released graph as an MLflow model of the ONNX flavour."""

import numpy as np
import onnx
from answer import answer
from mlflow.models import infer_signature
from mlflow.onnx import save_model


def main(graph: str, folder: str, features: int) -> str:
    """The model's folder, for `mlflow models serve`."""
    signature = infer_signature(np.zeros((2, features), dtype=np.float32))
    save_model(onnx.load(graph), folder, signature=signature)
    return folder


if __name__ == "__main__":
    answer(main)
