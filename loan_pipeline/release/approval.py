"""Candidates that passed the gate and wait for a person, who approves or rejects them.

candidates/<feature set>/<version>/…  a bundle with its verdict and holdout predictions, the
                                      manifest last

At most one waits per feature set. Approving makes it a release; where and how is `publish`.
"""

import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from loan_pipeline.contracts.bundle import MANIFEST_FILE, BundleManifest
from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FeatureSet
from loan_pipeline.contracts.verdict import CandidateVerdict
from loan_pipeline.lake.protocol import Store, StoreKeyMissing
from loan_pipeline.release.audit import AuditEvent, VerdictSummary, record
from loan_pipeline.release.publish import (
    HoldoutPredictions,
    current_version,
    publish,
    require_verdict,
)
from loan_pipeline.training.errors import ReleaseRefused

_CANDIDATES = "candidates"
_DECIDED_ON = "decided_on.json"


class _DecidedOn(BaseModel):
    """What a release needs beside the bundle."""

    model_config = ConfigDict(frozen=True)

    verdict: CandidateVerdict
    predictions: HoldoutPredictions


def keep_waiting(
    store: Store,
    folder: Path,
    manifest: BundleManifest,
    verdict: CandidateVerdict,
    predictions: HoldoutPredictions,
    *,
    minimum_roc_auc: float,
    by: str,
    run_id: str | None = None,
) -> None:
    """Keep a bundle until a person decides, in place of one that waits already.

    Args:
        store: the lake.
        folder: the bundle's, as `write_bundle` made it.
        manifest: its manifest.
        verdict: the gate's, about what the bundle was made from.
        predictions: its holdout predictor's out-of-time predictions.
        minimum_roc_auc: as the settings say now.
        by: who or what made the candidate.
        run_id: the Dagster run that did.

    Raises:
        ReleaseRefused: the verdict did not pass, or the champion has changed since it was given.
        RecordsDiffer: the verdict is about another candidate.
    """
    name, version = manifest.feature_set, manifest.version
    require_verdict(verdict, manifest, current_version(store, name), minimum_roc_auc)
    older = waiting(store, name)
    for file in manifest.files:
        store.upload(folder / file, _key(name, version, file))
    decided_on = _DecidedOn(verdict=verdict, predictions=predictions)
    store.write(_key(name, version, _DECIDED_ON), decided_on.model_dump_json().encode())
    store.upload(folder / MANIFEST_FILE, _key(name, version, MANIFEST_FILE))
    event = AuditEvent(
        event="waiting",
        feature_set=name,
        version=version,
        by=by,
        run_id=run_id,
        before=verdict.champion,
        verdict=VerdictSummary.of(verdict),
    )
    record(store, event)
    for one in older:
        _forget(store, one)
        record(
            store,
            AuditEvent(
                event="superseded",
                feature_set=name,
                version=one.version,
                by=by,
                note=f"{version} waits in its place",
            ),
        )


def waiting(store: Store, name: FeatureSet) -> list[BundleManifest]:
    """The candidates of a feature set that wait, newest first."""
    found = []
    for version in sorted(store.folders(f"{_CANDIDATES}/{name}"), reverse=True):
        try:
            text = store.read(_key(name, version, MANIFEST_FILE))
            found.append(BundleManifest.model_validate_json(text))
        except (StoreKeyMissing, ValidationError):
            continue  # being written, or what a killed run left behind
    return found


def approve(
    store: Store,
    version: str,
    *,
    by: str,
    note: str,
    minimum_roc_auc: float,
    keep: int,
) -> BundleManifest:
    """Release a candidate that waits.

    Args:
        store: the lake.
        version: which one.
        by: the person who decides.
        note: why.
        minimum_roc_auc: as the settings say now.
        keep: how many releases of the feature set remain.

    Returns:
        What was released.

    Raises:
        ReleaseRefused: no such candidate waits, no name is given, or the release that the gate
            compared it with is not the current one any more.
        StoreError: the store refused; the candidate waits on.
    """
    manifest = _waiting(store, version, by)
    name = manifest.feature_set
    decided_on = _DecidedOn.model_validate_json(store.read(_key(name, version, _DECIDED_ON)))
    verdict = decided_on.verdict
    with tempfile.TemporaryDirectory(prefix="candidate-") as folder:
        for file in (*manifest.files, MANIFEST_FILE):
            store.download(_key(name, version, file), Path(folder) / file)
        approved = AuditEvent(
            event="approved",
            feature_set=name,
            version=version,
            by=by,
            note=note,
            before=verdict.champion,
            verdict=VerdictSummary.of(verdict),
        )
        publish(
            store,
            Path(folder),
            manifest,
            verdict,
            decided_on.predictions,
            minimum_roc_auc=minimum_roc_auc,
            keep=keep,
            by=by,
            note=note,
            approval=approved,
        )
    _forget(store, manifest)
    return manifest


def reject(store: Store, version: str, *, by: str, note: str) -> BundleManifest:
    """Turn down a candidate that waits; its bundle is deleted, the trail keeps why.

    Raises:
        ReleaseRefused: no such candidate waits, or no name is given.
    """
    manifest = _waiting(store, version, by)
    event = AuditEvent(
        event="rejected", feature_set=manifest.feature_set, version=version, by=by, note=note
    )
    record(store, event)
    _forget(store, manifest)
    return manifest


def _waiting(store: Store, version: str, by: str) -> BundleManifest:
    if not by.strip():
        raise ReleaseRefused("a decision needs the name of the person who makes it: --by NAME")
    found = [one for name in FEATURE_SET_NAMES for one in waiting(store, name)]
    for one in found:
        if one.version == version:
            return one
    known = ", ".join(f"{one.feature_set} {one.version}" for one in found) or "none"
    raise ReleaseRefused(f"no candidate {version} waits for approval; waiting: {known}")


def _forget(store: Store, manifest: BundleManifest) -> None:
    # The manifest first: half a bundle must not look like one.
    store.delete(_key(manifest.feature_set, manifest.version, MANIFEST_FILE))
    store.delete(f"{_CANDIDATES}/{manifest.feature_set}/{manifest.version}")


def _key(name: FeatureSet, version: str, file: str) -> str:
    return f"{_CANDIDATES}/{name}/{version}/{file}"
