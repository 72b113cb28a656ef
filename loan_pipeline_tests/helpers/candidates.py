"""Records of candidates for release, as the pipeline's assets hand them on."""

from datetime import date
from typing import Any

from loan_pipeline.contracts.predictor import PredictorManifest
from loan_pipeline.contracts.verdict import CandidateVerdict, Check
from loan_pipeline.release.bundle import Origin
from loan_pipeline.training.predictor import TrainedFacts


def predictor_manifest(facts: TrainedFacts, **changes: Any) -> PredictorManifest:
    """The manifest of a predictor with these facts."""
    fields = {
        "predictor_id": "20261122T120000000000Z-00000001",
        "feature_set": facts.feature_set,
        "recipe": facts.recipe,
        "target": facts.target,
        "seed": facts.seed,
        "cost_ratio": facts.cost_ratio,
        "test_from": None,
        "snapshot_id": "snapshot-1",
        "loan_features_id": "loans-1",
        "run_id": "run-1",
        "code_revision": "abc",
    }
    return PredictorManifest.model_validate(fields | changes)


def origin_of(predictor: PredictorManifest) -> Origin:
    """What a bundle of a predictor that passed is made from."""
    verdict = CandidateVerdict(
        checks=(Check(name="roc_auc", passed=True, says="good enough"),),
        feature_set=predictor.feature_set,
        predictor_id=predictor.predictor_id,
        holdout_id="holdout-1",
        metrics_id="metrics-1",
        snapshot_id=predictor.snapshot_id,
        loan_features_id=predictor.loan_features_id,
        champion=None,
        minimum_roc_auc=0.6,
    )
    return Origin(predictor, "metrics-1", verdict, date(1997, 1, 1))
