"""The job by which a person releases or rejects a candidate that waits."""

from enum import Enum

import dagster as dg
from pydantic import Field

from loan_pipeline.defs.keys import STARTED_BY
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.defs.resources import RegistryResource, ReleasePolicyResource
from loan_pipeline.release.approval import approve, reject

Decision = Enum("Decision", {name: name for name in ("approve", "reject")})  # type: ignore[misc]


class DecisionConfig(dg.Config):
    """A decision and its reasons, which stand in the audit trail."""

    version: str = Field(
        description="The candidate's, as `loan-pipeline releases` and the release's metadata show."
    )
    decision: Decision = Field(
        description="approve: it becomes the release; reject: it is deleted."
    )
    by: str = Field(min_length=1, description="The name of the person who decides.")
    note: str = Field(min_length=1, description="Why.")


@dg.op(out=dg.Out(dg.Nothing))
def decide(
    context: dg.OpExecutionContext,
    config: DecisionConfig,
    lake: LakeResource,
    policy: ReleasePolicyResource,
    registry: RegistryResource,
) -> None:
    """Release or reject the candidate, and record who did it and why."""
    store, person = lake.open(), {"by": config.by, "note": config.note}
    if config.decision.value == "approve":
        released = approve(
            store,
            config.version,
            **person,
            minimum_roc_auc=policy.minimum_roc_auc,
            keep=policy.keep,
        )
        context.log.info(f"{released.feature_set} {released.version} is the release now")
        registry.follow(store, released.feature_set)
    else:
        rejected = reject(store, config.version, **person)
        context.log.info(f"{rejected.feature_set} {rejected.version} was rejected")


@dg.job(
    tags={STARTED_BY: "a person", "dagster/max_runtime": "3600"},
    description="Releases or rejects a candidate that passed the gate and waits for approval.",
)
def release_decision() -> None:
    """One step."""
    decide()


@dg.definitions
def approvals() -> dg.Definitions:
    """The job."""
    return dg.Definitions(jobs=[release_decision])
