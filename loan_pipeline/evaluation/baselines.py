"""Baselines that need no model: always "paid off", and a rule on one feature."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.evaluation.metrics import Ranking, ScoredLoans
from loan_pipeline.training.calibration import calibrate
from loan_pipeline.training.inputs import FloatArray, model_inputs


@dataclass(frozen=True)
class OneFeatureRule:
    """The best rule on one feature; its ranking, calibration and threshold come from training.

    Attributes:
        feature: the feature with the best ROC AUC on the training loans.
        rising: whether more of it means safer.
    """

    feature: str
    rising: bool

    def score(self, inputs: pd.DataFrame, reference: FloatArray) -> FloatArray:
        """The share of `reference` values that a loan exceeds, between 0 and 1; nulls 0.5."""
        values = inputs[self.feature].to_numpy(dtype=np.float64)
        known = np.sort(reference[~np.isnan(reference)])
        ranks = (np.searchsorted(known, values) + np.searchsorted(known, values, "right")) / 2
        shares = np.where(np.isnan(values), 0.5, ranks / max(len(known), 1))
        scores: FloatArray = shares if self.rising else 1 - shares
        return scores


def one_feature_rule(
    older: pd.DataFrame, newer: pd.DataFrame, name: FeatureSet, excluded: Collection[str] = ()
) -> tuple[OneFeatureRule, ScoredLoans]:
    """The rule that the older loans suggest, and what it says of the newer ones.

    Args:
        older: loans as of `with_outcome`, to choose and calibrate on.
        newer: loans to measure on.
        name: the feature set to choose from.
        excluded: features of it that are left out.
    """
    inputs, paid_off = model_inputs(older, name, excluded), older["paid_off"].to_numpy()
    best, best_distance = OneFeatureRule(str(inputs.columns[0]), rising=True), -1.0
    for feature in inputs.columns:
        rule = OneFeatureRule(str(feature), rising=True)
        reference = inputs[feature].to_numpy(dtype=np.float64)
        roc_auc = float(Ranking(paid_off, rule.score(inputs, reference)).figures()["roc_auc"])
        if abs(roc_auc - 0.5) > best_distance:
            best_distance = abs(roc_auc - 0.5)
            best = OneFeatureRule(str(feature), rising=roc_auc >= 0.5)
    reference = inputs[best.feature].to_numpy(dtype=np.float64)
    platt, threshold = calibrate(best.score(inputs, reference), paid_off)
    probabilities = platt.apply(best.score(model_inputs(newer, name, excluded), reference))
    return best, _scored(newer, probabilities, probabilities >= threshold)


def always_paid_off(older: pd.DataFrame, newer: pd.DataFrame) -> ScoredLoans:
    """The older loans' share of paid ones for every applicant, and none turned away."""
    share = float(older["paid_off"].mean())
    return _scored(newer, np.full(len(newer), share), np.ones(len(newer), dtype=bool))


def _scored(
    loans: pd.DataFrame,
    probabilities: FloatArray,
    accepted: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> ScoredLoans:
    return ScoredLoans(
        loans["loan_id"].to_numpy(),
        loans["paid_off"].to_numpy(),
        probabilities,
        accepted.astype(np.int64),
    )
