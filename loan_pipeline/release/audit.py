"""The audit trail of releases: who did what, when, why, and on which verdict. Only ever added to.

audit/<feature set>/<time>-<event>-<version>-<random>.json    one object an event
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FeatureSet
from loan_pipeline.contracts.verdict import CandidateVerdict
from loan_pipeline.lake.protocol import Store
from loan_pipeline.training.errors import ReleaseRefused

_AUDIT = "audit"

Kind = Literal[
    "refused",  # by the gate
    "waiting",  # passed the gate, and a person decides
    "superseded",  # was waiting when a newer candidate came
    "approved",
    "rejected",
    "released",  # became the current one
    "rolled back",  # an older release became the current one again
]


class AuditEvent(BaseModel):
    """One event.

    Attributes:
        version: of the bundle; of a refused candidate, which has none, the predictor's id.
        by: the person, or the schedule, sensor or command that did it.
        note: why, in a person's words.
        run_id: the Dagster run, where one did it.
        before: the version that was current before.
        verdict: the gate's summary: what was judged, and each rule's result.
    """

    model_config = ConfigDict(frozen=True)

    event: Kind
    feature_set: FeatureSet
    version: str
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    by: str = Field(min_length=1, max_length=200)
    note: str = Field(default="", max_length=2000)
    run_id: str | None = None
    before: str | None = None
    verdict: "VerdictSummary | None" = None


class VerdictSummary(BaseModel):
    """What the gate said, as far as an auditor asks."""

    model_config = ConfigDict(frozen=True)

    predictor_id: str
    metrics_id: str
    champion: str | None
    checked_at: datetime
    rules: dict[str, str]

    @classmethod
    def of(cls, verdict: CandidateVerdict) -> "VerdictSummary":
        """The summary of a verdict."""
        return cls(
            predictor_id=verdict.predictor_id,
            metrics_id=verdict.metrics_id,
            champion=verdict.champion,
            checked_at=verdict.checked_at,
            rules={
                check.name: f"{'passed' if check.passed else 'failed'}: {check.says}"
                for check in verdict.checks
            },
        )


def record(store: Store, event: AuditEvent) -> None:
    """Add an event to the trail."""
    name = f"{event.at:%Y%m%dT%H%M%S%fZ}-{event.event.replace(' ', '_')}-{event.version}"
    key = f"{_AUDIT}/{event.feature_set}/{name}-{secrets.token_hex(4)}.json"
    store.write(key, event.model_dump_json(indent=1).encode())


def history(
    store: Store, names: Sequence[FeatureSet] = FEATURE_SET_NAMES, version: str | None = None
) -> list[AuditEvent]:
    """The events, oldest first; of one version alone where it is named.

    Raises:
        ReleaseRefused: an object of the trail cannot be read.
    """
    events = []
    for name in names:
        for key in store.list(f"{_AUDIT}/{name}"):
            try:
                events.append(AuditEvent.model_validate_json(store.read(key)))
            except ValidationError as error:
                raise ReleaseRefused(
                    f"{store.url}/{key} is no event of the audit trail: it was changed or written "
                    "by other software; restore it from the bucket's versions or a backup"
                ) from error
    found = [one for one in events if version in (None, one.version)]
    return sorted(found, key=lambda one: one.at)
