"""Dagster's one entry point: everything in `defs/`, with resources made from the settings."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import dagster as dg

from loan_pipeline.code_revision import code_revision
from loan_pipeline.contracts.features import FEATURE_SET_NAMES
from loan_pipeline.defs.approval import approvals
from loan_pipeline.defs.bank import bank
from loan_pipeline.defs.bank_report import reports
from loan_pipeline.defs.columns import columns_in_currency
from loan_pipeline.defs.features import feature_tables
from loan_pipeline.defs.jobs import jobs
from loan_pipeline.defs.keys import release_key
from loan_pipeline.defs.metrics import all_metrics
from loan_pipeline.defs.monitoring import monitoring
from loan_pipeline.defs.portfolio import portfolio
from loan_pipeline.defs.predictor import predictors
from loan_pipeline.defs.raw import raw
from loan_pipeline.defs.release import all_releases
from loan_pipeline.defs.resources import build_resources
from loan_pipeline.defs.schedules import build_schedules
from loan_pipeline.defs.sensors import build_sensors
from loan_pipeline.defs.snapshot import SNAPSHOT, snapshots
from loan_pipeline.defs.step_logger import loggers
from loan_pipeline.defs.verdict import verdicts
from loan_pipeline.settings import Settings, load_settings

_OWNER = "team:credit-risk"
_KEPT_FRESH = {SNAPSHOT, *(release_key(name) for name in FEATURE_SET_NAMES)}
_ASSETS = (dg.AssetsDefinition, dg.AssetSpec)
# Named one by one: Dagster's search of a folder is a preview, and loads every installed library of
# components first, a tenth of the time that each process takes to start.
_STAGES = (bank, raw, reports, snapshots, feature_tables, predictors, all_metrics, verdicts,
           all_releases, portfolio, monitoring)  # fmt: skip
_ACROSS_STAGES = (jobs, approvals, loggers)


def build_defs(settings: Settings, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The pipeline's assets, checks, jobs, schedules and resources.

    Args:
        settings: which bank and lake are used, and what a release must satisfy.
        resources: others in place of those that the settings ask for, by name.
    """
    found = dg.Definitions.merge(*(part() for part in (*_STAGES, *_ACROSS_STAGES)))
    kinds = _kinds(settings)
    assets = [one for one in found.assets or () if isinstance(one, _ASSETS)]
    return dg.Definitions(
        assets=dg.map_asset_specs(
            lambda spec: _for_operators(_with_kinds(spec, kinds), settings), assets
        ),
        asset_checks=found.asset_checks,
        jobs=found.jobs,
        schedules=build_schedules(settings),
        sensors=build_sensors(settings),
        loggers=found.loggers,
        resources={**build_resources(settings), **(resources or {})},
        # In process: the steps share what they load (AutoGluon alone takes seconds to import), and
        # the embedded bank's file takes one writing process at a time.
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions that Dagster loads, for the settings of its environment."""
    return build_defs(load_settings())


def _kinds(settings: Settings) -> dict[str, set[str]]:
    """What stands in for the kinds that depend on the settings."""
    return {
        "database": {"mariadb" if settings.database_url or settings.rds_instance else "duckdb"},
        "store": {"s3" if urlsplit(settings.lake).scheme == "s3" else "folder"},
        "bundle": {"onnx", "autogluon"} if settings.allow_pickles else {"onnx"},
    }


def _with_kinds(spec: dg.AssetSpec, kinds: Mapping[str, set[str]]) -> dg.AssetSpec:
    named = set[str]().union(*(kinds.get(kind, {kind}) for kind in spec.kinds))
    return spec.replace_attributes(kinds=named)


def _for_operators(spec: dg.AssetSpec, settings: Settings) -> dg.AssetSpec:
    """With its owners, the code behind it, how old it may be, and amounts in the own currency."""
    fresh = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=settings.fresh_days))
    metadata = {
        name: columns_in_currency(value, settings.currency)
        if isinstance(value, dg.TableSchema)
        else value
        for name, value in spec.metadata.items()
    }
    return spec.replace_attributes(
        owners=[_OWNER],
        metadata=metadata,
        code_version=code_revision(),
        freshness_policy=fresh if spec.key in _KEPT_FRESH else None,
    )
