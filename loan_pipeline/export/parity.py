"""Proof that what is released answers what the trained predictor answers, before every release.

Compared on real loans and on random rows within the contract's bounds, with nulls and unseen codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loan_pipeline.contracts.features import Feature
from loan_pipeline.scoring.model import open_model
from loan_pipeline.training.predictor import TrainedPredictor
from loan_pipeline.training.recipes import model_kind

LARGEST_DIFFERENCE = 1e-5
RANDOM_ROWS = 1000

_NULL_SHARE = 0.2


@dataclass(frozen=True)
class Parity:
    """The result of a comparison.

    Attributes:
        largest_difference: of two probabilities for the same row.
        worst_row: that row's features, as the model sees them.
        rows: how many rows were compared.
    """

    largest_difference: float
    worst_row: dict[str, float]
    rows: int

    @property
    def proven(self) -> bool:
        """Whether the model may be released."""
        return self.largest_difference <= LARGEST_DIFFERENCE


def check_parity(
    trained: TrainedPredictor, model: bytes, loans: pd.DataFrame, *, seed: int = 0
) -> Parity:
    """Compare a model, opened as the app opens it, and the predictor on loans and random rows.

    Args:
        trained: the predictor.
        model: the model's file that was made of it.
        loans: rows with the contract's features, for instance all loans.
        seed: of the random rows.
    """
    name = trained.facts.feature_set
    real = trained.inputs(loans)
    inputs = pd.concat([real, random_inputs(trained.features, real, seed)], ignore_index=True)
    opened = open_model(
        model_kind(trained.recipe),
        model,
        list(inputs.columns),
        f"the {name} model about to be released",
        allow_pickles=True,  # it was made here, a moment ago
    )
    answers = opened.probabilities(inputs.to_numpy(dtype=np.float32))
    differences = np.abs(trained.predict_proba_of_inputs(inputs) - answers)
    # A comparison that is not a number is no proof either.
    worst = int(np.argmax(np.where(np.isnan(differences), np.inf, differences)))
    return Parity(
        largest_difference=float(np.where(np.isnan(differences), np.inf, differences)[worst]),
        worst_row={str(key): float(value) for key, value in inputs.iloc[worst].items()},
        rows=len(inputs),
    )


def random_inputs(
    features: Sequence[Feature], real: pd.DataFrame, seed: int, rows: int = RANDOM_ROWS
) -> pd.DataFrame:
    """Random encoded rows: half anywhere within the contract, half where real loans are.

    Features that may be null are null in a fifth of the rows, and codes unseen likewise.
    """
    generator = np.random.default_rng(seed)
    columns = {}
    for feature in features:
        if feature.codes:
            values = generator.integers(0, len(feature.codes), rows).astype(np.float64)
        else:
            known = real[feature.name].dropna().to_numpy(dtype=np.float64)
            low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
            near = generator.uniform(low, high, rows)
            anywhere = generator.uniform(feature.minimum, feature.maximum, rows)
            values = np.where(np.arange(rows) % 2, near, anywhere)
        if feature.codes or feature.null_means:
            values[generator.random(rows) < _NULL_SHARE] = np.nan
        columns[feature.name] = values
    return pd.DataFrame(columns).astype("float32")
