"""Permutation importance: how much worse the ranking gets when one feature is shuffled."""

import numpy as np
import pandas as pd

from loan_pipeline.evaluation.metrics import Ranking
from loan_pipeline.training.predictor import TrainedPredictor

_REPEATS = 10
_MOST_LOANS = 1000


def permutation_importance(
    trained: TrainedPredictor, known: pd.DataFrame, *, seed: int = 0
) -> dict[str, dict[str, float]]:
    """The loss of ROC AUC on loans that the predictor did not see, by feature, largest first.

    Args:
        trained: the predictor.
        known: loans as of `with_outcome`; a thousand of them at most are used.
        seed: of the shuffles.

    Returns:
        `mean` and `standard_deviation` over the shuffles, by feature.
    """
    known = known.sample(min(len(known), _MOST_LOANS), random_state=seed)
    inputs = trained.inputs(known).reset_index(drop=True)
    generator = np.random.default_rng(seed)
    tables = [inputs]
    for feature in inputs.columns:
        for _ in range(_REPEATS):
            shuffled = inputs[feature].to_numpy()[generator.permutation(len(inputs))]
            tables.append(inputs.assign(**{str(feature): shuffled}))
    # One long table: the predictor's cost is per call, not per row.
    probabilities = trained.predict_proba_of_inputs(pd.concat(tables, ignore_index=True))
    paid_off = known["paid_off"].to_numpy()
    areas = [
        Ranking(paid_off, part).figures()["roc_auc"]
        for part in np.split(probabilities, len(tables))
    ]
    losses = areas[0] - np.array(areas[1:]).reshape(-1, _REPEATS)
    order = np.argsort(-losses.mean(axis=1), kind="stable")
    return {
        str(inputs.columns[position]): {
            "mean": float(losses[position].mean()),
            "standard_deviation": float(losses[position].std(ddof=1)),
        }
        for position in order
    }
