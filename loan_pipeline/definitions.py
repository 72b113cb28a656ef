"""Dagster's one entry point: everything in `defs/`, with resources made from the settings."""

import warnings
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg

import loan_pipeline.defs as defs_package
from loan_pipeline.code_revision import code_revision
from loan_pipeline.contracts.features import FEATURE_SET_NAMES
from loan_pipeline.defs.columns import columns_in_currency
from loan_pipeline.defs.keys import release_key
from loan_pipeline.defs.resources import build_resources
from loan_pipeline.defs.schedules import build_schedules
from loan_pipeline.defs.sensors import build_sensors
from loan_pipeline.defs.snapshot import SNAPSHOT
from loan_pipeline.settings import Settings, load_settings

_OWNER = "team:credit-risk"
_KEPT_FRESH = {SNAPSHOT, *(release_key(name) for name in FEATURE_SET_NAMES)}
_ASSETS = (dg.AssetsDefinition, dg.AssetSpec)


def build_defs(settings: Settings, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The pipeline's assets, checks, jobs, schedules and resources.

    Args:
        settings: which bank and lake are used, and what a release must satisfy.
        resources: others in place of those that the settings ask for, by name.
    """
    found = _found_in_defs()
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


def _found_in_defs() -> dg.Definitions:
    # Not `load_from_defs_folder`: it wants a pyproject.toml above this file, and an installed
    # package has none.
    root = Path(defs_package.__path__[0]).parents[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # of what Dagster itself calls there
        return dg.ComponentTree.from_module(
            defs_module=defs_package, project_root=root
        ).build_defs()


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
