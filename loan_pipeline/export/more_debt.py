"""More debt never helps: a search for applicants whom a larger loan gets a higher probability.

Between two cuts of its trees a forest's answer is constant, so for one applicant and duration the
amounts between all its cuts are all there is to try. Other models are tried on a grid.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
import pandas as pd
from onnx import helper

from loan_pipeline.contracts.bundle import ONNX
from loan_pipeline.contracts.features import FEATURES_BY_NAME
from loan_pipeline.export.parity import random_inputs
from loan_pipeline.scoring.affordability import combine
from loan_pipeline.scoring.model import Model, open_model
from loan_pipeline.training.inputs import FloatArray, encoded
from loan_pipeline.training.predictor import TrainedPredictor
from loan_pipeline.training.recipes import model_kind

# Rounding to float32 in the graph's last steps moves a probability by less than this.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class _Effort:
    """How much is tried: applicants (as many at random again), durations, amounts in the grid."""

    applicants: int
    durations: tuple[int, ...]
    grid: int


_OF_GRAPHS = _Effort(24, (1, 6, 12, 24, 36, 48, 60, 120), 200)
_OF_OTHERS = _Effort(8, (12, 36, 60), 40)  # each of their answers is a thousand times dearer

_Cuts = Mapping[str, FloatArray]


@dataclass(frozen=True)
class MoreDebt:
    """What the search found.

    Attributes:
        violations: neighbouring amounts of which the larger got the higher probability.
        worst: by how much the probability rose with the amount at most; 0 where it never did.
        rows: how many loans were scored.
        worst_case: the duration and both amounts of the worst, and the applicant's features.
    """

    violations: int
    worst: float
    rows: int
    worst_case: dict[str, float]

    @property
    def proven(self) -> bool:
        """Whether no larger loan got a higher probability."""
        return self.violations == 0


def check_more_debt_never_helps(
    trained: TrainedPredictor, model: bytes, loans: pd.DataFrame, *, seed: int = 0
) -> MoreDebt:
    """Search the model, opened as the app opens it, over applicants, durations and amounts.

    Args:
        trained: the predictor.
        model: the model's file that was made of it.
        loans: rows with the contract's features; the applicants are some of their accounts, and
            as many at random within the contract's bounds.
        seed: of the choice.
    """
    features = trained.features
    kind = model_kind(trained.recipe)
    names = [feature.name for feature in features]
    opened = open_model(
        kind, model, names, "the model about to be released", allow_pickles=True
    )  # it was made here, a moment ago
    effort = _OF_GRAPHS if kind == ONNX else _OF_OTHERS
    real = pd.DataFrame({feature.name: encoded(loans, feature) for feature in features})
    chosen = real.sample(min(len(real), effort.applicants), random_state=seed)
    drawn = random_inputs(features, real, seed, rows=effort.applicants).astype("float64")
    cuts = _cuts(model, names) if kind == ONNX else {}
    applicants = np.vstack([chosen.to_numpy(), drawn.to_numpy()])
    found = [
        _search(opened, dict(zip(names, applicant.tolist(), strict=True)), cuts, duration, effort)
        for applicant in applicants
        for duration in effort.durations
    ]
    worst = max(found, key=lambda one: one.worst)
    return MoreDebt(
        violations=sum(one.violations for one in found),
        worst=worst.worst,
        rows=sum(one.rows for one in found),
        worst_case=worst.worst_case,
    )


def _search(
    model: Model, applicant: dict[str, float], cuts: _Cuts, duration: int, effort: _Effort
) -> MoreDebt:
    """One applicant and duration over all amounts that make a difference."""
    amounts = _amounts(applicant, cuts, duration, effort.grid)
    terms = {"amount": amounts, "duration": np.full(len(amounts), float(duration))}
    account = {name: np.full(len(amounts), value) for name, value in applicant.items()}
    values = account | {
        name: column for name, column in combine(account, terms).items() if name in applicant
    }
    rows = np.column_stack([values[name] for name in applicant]).astype(np.float32)
    rises = np.diff(model.probabilities(rows))
    # A probability that is not a number is no proof either.
    rises = np.where(np.isnan(rises), np.inf, rises)
    place = int(np.argmax(rises))
    terms_of_worst = {
        "duration": float(duration),
        "smaller_amount": float(amounts[place]),
        "larger_amount": float(amounts[place + 1]),
    }
    return MoreDebt(
        violations=int((rises > TOLERANCE).sum()),
        worst=max(float(rises[place]), 0.0),
        rows=len(rows),
        worst_case=applicant | terms_of_worst,
    )


def _amounts(applicant: dict[str, float], cuts: _Cuts, duration: int, grid: int) -> FloatArray:
    """A grid of amounts, and one between any two at which the model's answer may change."""
    amount = FEATURES_BY_NAME["amount"]
    changes = [np.geomspace(amount.minimum, amount.maximum, grid)]
    for name, values in cuts.items():
        # Each is a line in the amount, so two points give it.
        ends = {"amount": np.array([0.0, 1.0]), "duration": np.full(2, float(duration))}
        account = {key: np.full(2, value) for key, value in applicant.items()}
        at_zero, at_one = combine(account, ends)[name]
        changes.append((values - at_zero) / (at_one - at_zero))
    known = np.unique(np.concatenate(changes))
    known = known[(known >= amount.minimum) & (known <= amount.maximum)]
    return np.unique(np.concatenate([known, (known[1:] + known[:-1]) / 2]))


def _cuts(model: bytes, names: list[str]) -> _Cuts:
    """The values at which the graph's trees cut the features that depend on the amount."""
    found: dict[str, set[float]] = {name: set() for name in names if _with_amount(name)}
    for node in onnx.load_from_string(model).graph.node:
        if not node.op_type.startswith("TreeEnsemble"):
            continue
        lists = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        for column, value, mode in zip(
            lists["nodes_featureids"], lists["nodes_values"], lists["nodes_modes"], strict=True
        ):
            if mode != b"LEAF" and names[column] in found:
                found[names[column]].add(value)
    return {name: np.array(sorted(values)) for name, values in found.items() if values}


def _with_amount(name: str) -> bool:
    return FEATURES_BY_NAME[name].with_amount != 0
