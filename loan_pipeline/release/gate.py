"""The release gate: what a candidate must show before it may replace the champion.

The comparison is fair to both: each loan is scored by models that did not see it. A loan granted
after the champion's last training loan is scored by the champion itself; an earlier one counts
where the champion's holdout predictor, trained on older loans alone, has scored it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loan_pipeline.contracts.bundle import BundleManifest, model_file
from loan_pipeline.contracts.features import FeatureSet, contract_version, feature_set
from loan_pipeline.contracts.verdict import Check
from loan_pipeline.evaluation.comparison import paired_difference
from loan_pipeline.evaluation.metrics import ScoredLoans
from loan_pipeline.evaluation.validation import Validation
from loan_pipeline.export.more_debt import MoreDebt, check_more_debt_never_helps
from loan_pipeline.export.parity import LARGEST_DIFFERENCE, Parity, check_parity
from loan_pipeline.lake.protocol import Store
from loan_pipeline.release.publish import (
    current_version,
    read_holdout_predictions,
    read_manifest,
    read_release_file,
)
from loan_pipeline.scoring.bundle import BundleError, require_intact
from loan_pipeline.scoring.model import Model, open_model
from loan_pipeline.training.inputs import FloatArray, model_inputs
from loan_pipeline.training.predictor import TrainedPredictor

# The out-of-time probabilities may be off on average by this much, beyond what chance explains.
# The share of bad loans itself moves by half as much from year to year, and a running loan has
# had less time to fail than an old one.
LARGEST_CALIBRATION_BIAS = 0.1
# With fewer loans of an outcome in common, a comparison is an anecdote.
FEWEST_TO_COMPARE = 5


@dataclass(frozen=True)
class Champion:
    """The released model, as far as a candidate must compare with it.

    Attributes:
        version: its release.
        manifest: None where another version of this software wrote it, in another format.
        model: the released model, or why it cannot be asked.
        out_of_time: its holdout predictor's predictions by loan id.
    """

    version: str
    manifest: BundleManifest | None
    model: Model | BundleError
    out_of_time: dict[int, float]


@dataclass(frozen=True)
class Candidate:
    """Everything that the gate judges.

    Attributes:
        trained: the predictor that may be released.
        model: the model's file that a bundle of it would hold.
        validation: what was measured of it.
        loans: the loans that it learned from, one row each.
        champion: None where nothing was released yet.
        minimum_roc_auc: as the settings say.
    """

    trained: TrainedPredictor
    model: bytes
    validation: Validation
    loans: pd.DataFrame
    champion: Champion | None
    minimum_roc_auc: float


@dataclass(frozen=True)
class Rule:
    """One condition of the gate; `evaluate` gives a check called `name`."""

    name: str
    description: str
    evaluate: Callable[[Candidate], Check]


# The gate. A rule more is a function and an entry here: verdicts and Dagster's checks follow.
RULES: tuple[Rule, ...] = (
    Rule(
        "export_parity",
        "What is released answers what the predictor answers.",
        lambda one: check_parity_proven(check_parity(one.trained, one.model, one.loans)),
    ),
    Rule(
        "more_debt_never_helps",
        "At the same duration, no larger loan gets a higher probability.",
        lambda one: check_more_debt(check_more_debt_never_helps(one.trained, one.model, one.loans)),
    ),
    Rule(
        "roc_auc",
        "Out of time, ROC AUC is not below LOAN_MINIMUM_ROC_AUC.",
        lambda one: check_roc_auc(one.validation, one.minimum_roc_auc),
    ),
    Rule(
        "calibration",
        "Out of time, probabilities are not too high or too low beyond chance.",
        lambda one: check_calibration(one.validation),
    ),
    Rule(
        "not_worse_than_released",
        "On the same loans, not significantly worse than the champion.",
        lambda one: check_not_worse(one.validation, one.champion, one.loans),
    ),
)


def judge(candidate: Candidate) -> tuple[Check, ...]:
    """Evaluate every rule of the gate, in its order."""
    return tuple(rule.evaluate(candidate) for rule in RULES)


def released_champion(
    store: Store, name: FeatureSet, bank: str | None = None, *, allow_pickles: bool = False
) -> Champion | None:
    """The current release; None where there is none yet.

    Args:
        store: the lake.
        name: the feature set.
        bank: the candidate's; loans of another with the same numbers are not the same loans.
        allow_pickles: whether to open a release that is no graph.
    """
    version = current_version(store, name)
    if version is None:
        return None
    manifest = read_manifest(store, name, version)
    if manifest is None:
        return Champion(version, None, BundleError("it is of another format, or not kept"), {})
    predictions = read_holdout_predictions(store, name, version)
    return Champion(
        version,
        manifest,
        _released_model(store, manifest, allow_pickles=allow_pickles),
        predictions.out_of_time if predictions and predictions.bank == bank else {},
    )


def _released_model(
    store: Store, manifest: BundleManifest, *, allow_pickles: bool
) -> Model | BundleError:
    """A release that cannot be opened is what a candidate is to replace: no reason to stop it."""
    name, file = manifest.feature_set, model_file(manifest.kind)
    try:
        names = [feature.name for feature in manifest.features]
        excluded = {one.name for one in feature_set(name)} - set(names)
        if manifest.contract_version != contract_version(name, excluded):
            raise BundleError("it takes other features")
        data = read_release_file(store, name, manifest.version, file)
        require_intact(data, file, manifest, file)
        return open_model(
            manifest.kind,
            data,
            names,
            f"release {manifest.version}",
            allow_pickles=allow_pickles,
        )
    except BundleError as error:
        return error


def check_roc_auc(validation: Validation, minimum: float) -> Check:
    """The out-of-time ROC AUC is not below the minimum of the settings."""
    roc_auc = validation.metrics["out_of_time"]["roc_auc"]
    return Check(
        name="roc_auc",
        passed=roc_auc.value >= minimum,
        says=f"out-of-time ROC AUC {roc_auc.value:.3f} (95 % interval {roc_auc.low:.3f} to "
        f"{roc_auc.high:.3f}), at least {minimum:.3f} is needed",
        figures={
            "value": roc_auc.value,
            "low": roc_auc.low,
            "high": roc_auc.high,
            "minimum": minimum,
        },
    )


def check_calibration(validation: Validation) -> Check:
    """Out of time, probabilities are not significantly too high or too low on average."""
    bias = validation.metrics["out_of_time"]["calibration_bias"]
    beyond = max(bias.low - LARGEST_CALIBRATION_BIAS, -LARGEST_CALIBRATION_BIAS - bias.high)
    return Check(
        name="calibration",
        passed=beyond <= 0,
        says=f"out-of-time probabilities are {abs(bias.value):.3f} too "
        f"{'high' if bias.value > 0 else 'low'} on average (95 % interval {bias.low:+.3f} to "
        f"{bias.high:+.3f}); {LARGEST_CALIBRATION_BIAS} must not be exceeded beyond chance",
        figures={"value": bias.value, "low": bias.low, "high": bias.high},
    )


def check_parity_proven(parity: Parity) -> Check:
    """The exported graph answers what the predictor answers."""
    return Check(
        name="export_parity",
        passed=parity.proven,
        says=f"exported and trained model differ by {parity.largest_difference:.1e} at most on "
        f"{parity.rows:,} rows, {LARGEST_DIFFERENCE:.0e} is allowed",
        figures={
            "largest_difference": parity.largest_difference,
            "rows": float(parity.rows),
        },
    )


def check_more_debt(search: MoreDebt) -> Check:
    """No larger loan gets a higher probability at the same duration."""
    if search.proven:
        says = f"no larger loan gets a higher probability, in {search.rows:,} loans tried"
    else:
        case = search.worst_case
        says = (
            f"of {search.rows:,} loans tried, {search.violations:,} larger ones get a higher "
            f"probability, by {search.worst:.3f} at most: over {case['duration']:.0f} months "
            f"{case['larger_amount']:,.0f} in place of {case['smaller_amount']:,.0f}; release a "
            "recipe that is monotone in the terms, as default and quick are"
        )
    return Check(
        name="more_debt_never_helps",
        passed=search.proven,
        says=says,
        figures={"violations": float(search.violations), "worst": search.worst},
    )


def check_not_worse(
    validation: Validation, champion: Champion | None, loans: pd.DataFrame, *, seed: int = 0
) -> Check:
    """The candidate does not rank the same loans significantly worse than the released model.

    Args:
        validation: the candidate's.
        champion: the released model; passes where there is none, or too little in common.
        loans: one row per loan with the contract's features, among them the out-of-time ones.
        seed: of the paired bootstrap.
    """
    name = "not_worse_than_released"
    if champion is None:
        says = "nothing was released yet: nothing to compare with"
        return Check(name=name, passed=True, says=says)
    version = champion.version
    candidate, theirs = _in_common(validation.out_of_time, champion, loans)
    refused = isinstance(champion.model, BundleError)
    unasked = f"; the release itself could not be asked: {champion.model}" if refused else ""
    if min(candidate.bad, len(candidate) - candidate.bad) < FEWEST_TO_COMPARE:
        return Check(
            name=name,
            passed=True,
            says=f"only {len(candidate)} loans, {candidate.bad} of them not paid off, were seen "
            f"neither by the candidate's holdout predictor nor by release {version}: too few to "
            f"compare{unasked}",
            figures={"n": float(len(candidate)), "bad": float(candidate.bad)},
        )
    difference, low, high = roc_auc_difference(candidate, theirs, seed=seed)
    return Check(
        name=name,
        passed=high >= 0,
        says=f"ROC AUC differs by {difference:+.3f} from release {version} on the same "
        f"{len(candidate)} loans (95 % interval {low:+.3f} to {high:+.3f}){unasked}",
        figures={"difference": difference, "low": low, "high": high, "n": float(len(candidate))},
    )


def roc_auc_difference(
    candidate: ScoredLoans, theirs: FloatArray, *, seed: int = 0
) -> tuple[float, float, float]:
    """ROC AUC of the candidate minus that of others on the same loans, with its 95 % interval."""
    return paired_difference(candidate.paid_off, candidate.probabilities, theirs, seed=seed)


def _in_common(
    candidate: ScoredLoans, champion: Champion, loans: pd.DataFrame
) -> tuple[ScoredLoans, FloatArray]:
    """The candidate's out-of-time loans that the champion has a fair prediction for, and it."""
    rows = loans.set_index("loan_id").loc[candidate.loan_ids]
    theirs = np.array([champion.out_of_time.get(int(key), np.nan) for key in candidate.loan_ids])
    if champion.manifest is not None and not isinstance(champion.model, BundleError):
        last = pd.Timestamp(champion.manifest.training.last_loan_date)
        unseen = (pd.to_datetime(rows["date"]) > last).to_numpy()
        if unseen.any():
            name = champion.manifest.feature_set
            names = {feature.name for feature in champion.manifest.features}
            excluded = {one.name for one in feature_set(name)} - names
            inputs = model_inputs(rows[unseen], name, excluded)
            theirs[unseen] = champion.model.probabilities(inputs.to_numpy(dtype=np.float32))
    known = ~np.isnan(theirs)
    return candidate.only(known), theirs[known]
