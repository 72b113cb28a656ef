"""The gate's verdict on a candidate, as a record; how rules are evaluated belongs to `gate`."""

from loan_pipeline.code_revision import code_revision
from loan_pipeline.contracts.predictor import PredictorManifest
from loan_pipeline.contracts.verdict import CandidateVerdict
from loan_pipeline.release.candidate import MetricsRecord
from loan_pipeline.release.gate import Candidate, judge


def give_verdict(
    candidate: Candidate, predictor: PredictorManifest, metrics: MetricsRecord
) -> CandidateVerdict:
    """Evaluate the gate, and name what it judged."""
    return CandidateVerdict(
        checks=judge(candidate),
        code_revision=code_revision(),
        feature_set=predictor.feature_set,
        predictor_id=predictor.predictor_id,
        holdout_id=metrics.holdout_id,
        metrics_id=metrics.metrics_id,
        snapshot_id=metrics.snapshot_id,
        loan_features_id=metrics.loan_features_id,
        champion=candidate.champion.version if candidate.champion else None,
        minimum_roc_auc=candidate.minimum_roc_auc,
    )
