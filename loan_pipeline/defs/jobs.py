"""The jobs that people start, and the run configuration and tags that start them."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FeatureSet
from loan_pipeline.defs.keys import GROUPS, STARTED_BY, predictor_key
from loan_pipeline.defs.portfolio import SCORES
from loan_pipeline.defs.raw import BANK, raw_tables_contract
from loan_pipeline.defs.snapshot import SNAPSHOT


def fill_ops(source: str) -> dict[str, Any]:
    """The part `ops` of a run's configuration: where the bank is filled from."""
    return {BANK.to_python_identifier(): {"config": {"source": source}}}


def adopt_ops(export_id: str) -> dict[str, Any]:
    """The part `ops` of a run's configuration: another system's export becomes the snapshot."""
    return {SNAPSHOT.to_python_identifier(): {"config": {"adopt": export_id}}}


def training_ops(names: Sequence[FeatureSet] = FEATURE_SET_NAMES, **config: Any) -> dict[str, Any]:
    """The part `ops` of a run's configuration: how predictors are trained.

    Args:
        names: the feature sets.
        config: fields of `training_config.TrainingConfig`.
    """
    return {predictor_key(name).to_python_identifier(): {"config": config} for name in names}


# The checks are named too: Dagster leaves those of tables that it only watches out of "all".
CONTRACT = dg.AssetSelection.checks(raw_tables_contract)

# What hangs is ended by Dagster's run monitoring.
_HOURS, _MAX_RUNTIME = 3600, "dagster/max_runtime"

_AFTER_SNAPSHOT = dg.AssetSelection.assets(SNAPSHOT).downstream(include_self=False)
_WATCHING = dg.AssetSelection.groups(GROUPS["monitoring"])

# What stands in the launchpad when it opens: harmless if launched as it is.
_AS_IT_IS = fill_ops("")
_TRAINING = training_ops(recipe="default", target="observed")

_FILLING = """
The sample bank, or PKDD'99 files from a folder of your own, **in place of** what the bank holds:

```yaml
ops: {bank: {config: {source: sample}}}
```
```yaml
ops: {bank: {config: {source: /data/pkdd99}}}
```
"""
_RECIPES = """
Quicker models, for a trial; or a lost loan that costs as much as five good applicants turned away:

```yaml
ops:
  behavioural__predictor: {config: {recipe: quick}}
  application__predictor: {config: {recipe: quick}}
```
```yaml
ops: {behavioural__predictor: {config: {cost_ratio: 5}}}
```
"""

# What retrains by itself repeats what a person chose and released.
AS_RELEASED = training_ops(as_released=True)

whole_pipeline = dg.define_asset_job(
    "whole_pipeline",
    selection=(dg.AssetSelection.all() - _WATCHING) | CONTRACT,
    config={"ops": _AS_IT_IS | _TRAINING},
    tags={_MAX_RUNTIME: str(12 * _HOURS)},
    description="From the bank to the released predictors. As it stands in the launchpad, the bank "
    f"keeps what it holds.\n{_FILLING}{_RECIPES}",
)

retraining = dg.define_asset_job(
    "retraining",
    selection=dg.AssetSelection.assets(SNAPSHOT) | (_AFTER_SNAPSHOT - _WATCHING) | CONTRACT,
    config={"ops": _TRAINING},
    tags={_MAX_RUNTIME: str(12 * _HOURS)},
    description="A new snapshot of the bank as it stands, and everything after it.\n" + _RECIPES,
)

training = dg.define_asset_job(
    "training",
    selection=_AFTER_SNAPSHOT - _WATCHING,
    config={"ops": _TRAINING},
    tags={_MAX_RUNTIME: str(12 * _HOURS)},
    description="From the latest snapshot as it is to the release and the portfolio.\n" + _RECIPES,
)

monitoring = dg.define_asset_job(
    "monitoring",
    selection=_WATCHING,
    tags={_MAX_RUNTIME: str(2 * _HOURS)},
    description="Requests, drift and performance of the web apps' answers.",
)

portfolio = dg.define_asset_job(
    "portfolio",
    selection=dg.AssetSelection.assets(SCORES),
    tags={_MAX_RUNTIME: str(2 * _HOURS)},
    description="All running loans of the latest snapshot, scored with the release. It needs no "
    "configuration.",
)

fill = dg.define_asset_job(
    "fill",
    selection=dg.AssetSelection.assets(BANK) | CONTRACT,
    config={"ops": _AS_IT_IS},
    tags={_MAX_RUNTIME: str(12 * _HOURS)},
    description="Fills the bank, where it is ours to fill, and asks the contract. As it stands in "
    f"the launchpad, only an empty bank is filled.\n{_FILLING}",
)


def unattended(by: str) -> dict[str, str]:
    """The tags of a run that nobody watches: what started it, and that a failed one is retried."""
    return {
        STARTED_BY: by,
        "dagster/max_retries": "2",
        "dagster/retry_on_asset_or_op_failure": "true",
    }


def jobs() -> dg.Definitions:
    """Every job."""
    return dg.Definitions(jobs=[whole_pipeline, retraining, training, monitoring, portfolio, fill])
