"""Verdicts: what a set of rules found of one thing, as data that names the thing.

Verdicts are kept in the lake beside what they are about. Each step demands the verdict of what it
builds on, however the step was started; Dagster's checks only report it.
"""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from loan_pipeline.contracts.features import FeatureSet


class Problem(BaseModel):
    """What is wrong in one place.

    Attributes:
        place: a column, a table's column, or a file.
        text: what is wrong, in how many rows, and the first of them.
        rows: how many rows are wrong; 0 where no rows can be counted.
    """

    model_config = ConfigDict(frozen=True)

    place: str
    text: str
    rows: int = 0

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.place} {self.text}"


class Check(BaseModel):
    """One rule's result.

    Attributes:
        name: the rule's, as Dagster's check is called.
        passed: whether the rule holds.
        says: what was found, for people.
        blocking: whether nothing may be built on what breaks the rule; False only warns.
        figures: the numbers behind it.
        problems: what is wrong where, one by one.
    """

    # "strings": a figure that is not a number survives JSON.
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    name: str
    passed: bool
    says: str
    blocking: bool = True
    figures: dict[str, float] = {}
    problems: tuple[Problem, ...] = ()

    @classmethod
    def of_problems(
        cls, name: str, problems: tuple[Problem, ...], good: str, *, blocking: bool = True
    ) -> "Check":
        """The check that passes where there is no problem; `good` is what it then says."""
        return cls(
            name=name,
            passed=not problems,
            says="; ".join(map(str, problems)) or good,
            blocking=blocking,
            problems=problems,
        )


class Verdict(BaseModel):
    """The results of all the rules about one thing.

    Attributes:
        code_revision: the software's whose rules these are.
    """

    model_config = ConfigDict(frozen=True)

    checks: tuple[Check, ...]
    checked_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    code_revision: str | None = None

    @property
    def passed(self) -> bool:
        """Whether every blocking rule holds."""
        return all(check.passed for check in self.checks if check.blocking)

    @property
    def refusal(self) -> str:
        """The failed blocking rules in their own words; empty where the verdict passed."""
        failed = [check for check in self.checks if check.blocking and not check.passed]
        return "; ".join(f"«{check.name}»: {check.says}" for check in failed)


class SnapshotVerdict(Verdict):
    """About a snapshot."""

    snapshot_id: str


class FeatureTableVerdict(Verdict):
    """About a feature table, which `table_id` identifies among those of one name."""

    table: str
    table_id: str
    snapshot_id: str


class CandidateVerdict(Verdict):
    """The release gate's, about a predictor with its metrics.

    Attributes:
        predictor_id: the predictor that may be released.
        holdout_id: the holdout predictor that made the out-of-time test.
        metrics_id: the metrics that were judged.
        loan_features_id: the table of loans that all three were made from.
        champion: the release that it was compared with; None where there was none.
        minimum_roc_auc: the setting at the time.
    """

    feature_set: FeatureSet
    predictor_id: str
    holdout_id: str
    metrics_id: str
    snapshot_id: str
    loan_features_id: str
    champion: str | None
    minimum_roc_auc: float
