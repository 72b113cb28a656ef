"""The job by which a person releases or rejects a candidate that waits."""

from enum import Enum

import dagster as dg
from pydantic import Field

from loan_pipeline.defs.keys import STARTED_BY, release_key
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.defs.presentation import release_metadata
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
        decided = approve(
            store,
            config.version,
            **person,
            minimum_roc_auc=policy.minimum_roc_auc,
            keep=policy.keep,
        )
        state, registered = "released", registry.follow(store, decided.feature_set)
    else:
        decided = reject(store, config.version, **person)
        state, registered = "rejected", None
    name = decided.feature_set
    context.log.info(f"{name} {decided.version} was {state}")
    event = dg.AssetMaterialization if state == "released" else dg.AssetObservation
    context.log_event(
        event(
            asset_key=release_key(name),
            description=f"{config.by}: {config.note}",
            metadata=release_metadata(decided, state, policy.page(name), registered),
        )
    )


# Launched as it is, it is refused: nobody decides by accident.
_FORM = {"version": "", "decision": "approve", "by": "", "note": ""}


@dg.job(
    config={"ops": {"decide": {"config": _FORM}}},
    tags={STARTED_BY: "a person", "dagster/max_runtime": "3600"},
    description="""Releases or rejects a candidate that passed the gate and waits for approval.

Fill in the version, your name and your reasons. The version stands in the metadata of the asset
`release` of the feature set.

```yaml
ops:
  decide:
    config:
      version: 20261126T050312000000Z-6d3873d0
      decision: reject
      by: Jana Nováková
      note: Prague is served worse than with the release before.
```
""",
)
def release_decision() -> None:
    """One step."""
    decide()


def approvals() -> dg.Definitions:
    """The job."""
    return dg.Definitions(jobs=[release_decision])
