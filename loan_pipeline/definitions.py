"""Dagster's one entry point: everything in `defs/`, with resources made from the settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg

from loan_pipeline.defs.resources import build_resources
from loan_pipeline.settings import Settings, load_settings

_ASSETS = (dg.AssetsDefinition, dg.AssetSpec)


def build_defs(settings: Settings, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The pipeline's assets, checks, jobs, schedules and resources.

    Args:
        settings: which bank and lake are used, and what a release must satisfy.
        resources: others in place of those that the settings ask for, by name.
    """
    found = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    kinds = _kinds(settings)
    assets = [one for one in found.assets or () if isinstance(one, _ASSETS)]
    return dg.Definitions(
        assets=dg.map_asset_specs(lambda spec: _with_kinds(spec, kinds), assets),
        asset_checks=found.asset_checks,
        jobs=found.jobs,
        schedules=found.schedules,
        sensors=found.sensors,
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
        "database": {"mariadb" if settings.database_url else "duckdb"},
        "store": {"s3" if urlsplit(settings.lake).scheme == "s3" else "folder"},
        "bundle": {"onnx", "autogluon"} if settings.allow_pickles else {"onnx"},
    }


def _with_kinds(spec: dg.AssetSpec, kinds: Mapping[str, set[str]]) -> dg.AssetSpec:
    named = set[str]().union(*(kinds.get(kind, {kind}) for kind in spec.kinds))
    return spec.replace_attributes(kinds=named)
