"""Saves a trained predictor as an MLflow model of AutoGluon's community flavour."""

import sys
from pathlib import Path

from answer import answer
from autogluon.tabular import TabularPredictor
from mlflow_autogluon import save_model

ROOT = Path(__file__).parents[2]


def main(predictor: str, folder: str) -> str:
    """The model's folder, for `mlflow models serve`."""
    sys.path.append(str(ROOT))  # a predictor holds models of our own class
    save_model(TabularPredictor.load(predictor), folder)
    return folder


if __name__ == "__main__":
    answer(main)
