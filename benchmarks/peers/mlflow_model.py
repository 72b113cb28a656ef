"""Saves a released graph as an MLflow model of the ONNX flavour."""

import onnx
from answer import answer
from mlflow.onnx import save_model


def main(graph: str, folder: str) -> str:
    """The model's folder, for `mlflow models serve`."""
    save_model(onnx.load(graph), folder)
    return folder


if __name__ == "__main__":
    answer(main)
