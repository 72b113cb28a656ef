"""More debt never helps, for models that cannot be trained so: answers that fall with the amount.

Recipes whose models take monotone constraints need nothing of this. What is answered in place of
such a model's own probability is the lowest that it gives to this amount or a smaller one, at the
amounts of a grid over those it learned from, with straight lines between them.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from loan_pipeline.scoring.affordability import combine
from loan_pipeline.training.inputs import FloatArray

Probabilities = Callable[[pd.DataFrame], FloatArray]

_GRID_AMOUNTS = 32
_ROWS_AT_ONCE = 2_000  # loans; each is asked at every amount of the grid


def falling_with_amount(
    probabilities: Probabilities, inputs: pd.DataFrame, known: tuple[float, float]
) -> FloatArray:
    """Probabilities [rows] that never rise with the amount at the same duration.

    Args:
        probabilities: the model's own, of a table as `inputs`.
        inputs: one row per loan, as `model_inputs` makes them.
        known: the smallest and the largest amount that the model learned from; beyond them its
            answer stays what it is there.
    """
    grid = np.geomspace(*known, _GRID_AMOUNTS)
    starts = range(0, len(inputs), _ROWS_AT_ONCE)
    parts = [_answers(probabilities, inputs.iloc[at : at + _ROWS_AT_ONCE], grid) for at in starts]
    return np.concatenate([np.empty(0), *parts])


def _answers(probabilities: Probabilities, inputs: pd.DataFrame, grid: FloatArray) -> FloatArray:
    asked = probabilities(_at_every_amount(inputs, grid)).reshape(len(inputs), len(grid))
    lowest = np.minimum.accumulate(asked, axis=1)
    amounts = np.log(inputs["amount"].to_numpy(dtype=np.float64))
    places = np.interp(amounts, np.log(grid), np.arange(len(grid)))
    below = np.minimum(places.astype(np.int64), len(grid) - 2)
    share, rows = places - below, np.arange(len(inputs))
    answers: FloatArray = (1 - share) * lowest[rows, below] + share * lowest[rows, below + 1]
    return answers


def _at_every_amount(inputs: pd.DataFrame, grid: FloatArray) -> pd.DataFrame:
    """Each row once for every amount of the grid, all that depends on the amount computed anew."""
    repeated = inputs.iloc[np.repeat(np.arange(len(inputs)), len(grid))].reset_index(drop=True)
    known = {str(name): repeated[name].to_numpy(dtype=np.float64) for name in repeated}
    terms = {"amount": np.tile(grid, len(inputs)), "duration": known["duration"]}
    changed = {name: column for name, column in combine(known, terms).items() if name in known}
    return repeated.assign(**changed).astype("float32")
