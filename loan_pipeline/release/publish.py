"""Releases in the store: publish a bundle, list, roll back, keep the last few.

releases/<feature set>/<version>/…               bundles, their manifests written last
releases/<feature set>/latest.json               the pointer, replaced atomically at the end
holdout_predictions/<feature set>/<version>.json what the gate needs of a release later; no app
                                                 reads it
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from loan_pipeline.contracts.bundle import (
    APPROVAL_FILE,
    BUNDLE_FORMAT,
    MANIFEST_FILE,
    BundleManifest,
    latest_release_key,
    release_key,
    releases_folder,
)
from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.contracts.origin import require_same
from loan_pipeline.contracts.verdict import CandidateVerdict
from loan_pipeline.lake.protocol import Pointer, Store, StoreConflict, StoreKeyMissing
from loan_pipeline.progress import track
from loan_pipeline.release.audit import AuditEvent, VerdictSummary, record
from loan_pipeline.training.errors import ReleaseRefused

_HOLDOUT_PREDICTIONS = "holdout_predictions"


class HoldoutPredictions(BaseModel):
    """A release's out-of-time predictions, for comparison with later candidates.

    Attributes:
        out_of_time: probability of being paid off by loan id, from the release's holdout
            predictor, which did not see these loans.
        bank: which bank the loans are of.
    """

    model_config = ConfigDict(frozen=True)

    out_of_time: dict[int, float]
    bank: str | None = None


@dataclass(frozen=True)
class Release:
    """A bundle in the store.

    Attributes:
        current: whether the pointer names it.
    """

    manifest: BundleManifest
    current: bool

    @property
    def version(self) -> str:
        """Its version."""
        return self.manifest.version

    @property
    def created_at(self) -> datetime:
        """When it was made."""
        return self.manifest.created_at


def publish(
    store: Store,
    folder: Path,
    manifest: BundleManifest,
    verdict: CandidateVerdict,
    predictions: HoldoutPredictions,
    *,
    minimum_roc_auc: float,
    keep: int,
    by: str = "the pipeline",
    note: str = "",
    run_id: str | None = None,
    approval: AuditEvent | None = None,
) -> None:
    """Upload a bundle and make it the latest; the oldest beyond `keep` are removed.

    Until the pointer is replaced, at the very end, all scoring goes on with the old release.

    Args:
        store: the lake.
        folder: the bundle's, as `write_bundle` made it.
        manifest: its manifest.
        verdict: the gate's, about what the bundle was made from.
        predictions: its holdout predictor's out-of-time predictions.
        minimum_roc_auc: as the settings say now.
        keep: how many releases of the feature set remain, the latest among them.
        by: who or what releases it, for the audit trail.
        note: why.
        run_id: the Dagster run that does it.
        approval: a person's, recorded once the verdict is known to hold.

    Raises:
        ReleaseRefused: the verdict did not pass, the champion has changed since it was given, or
            another release was made at the same time.
        RecordsDiffer: the verdict is about another candidate.
        StoreError: the store refused; the old release is still the latest.
    """
    name, version = manifest.feature_set, manifest.version
    pointer = store.read_pointer(latest_release_key(name))
    champion = str(pointer.value["version"]) if pointer else None
    require_verdict(verdict, manifest, champion, minimum_roc_auc)
    if approval is not None:
        record(store, approval)
        decision = approval.model_dump_json(indent=1).encode()
        store.write(release_key(name, version, APPROVAL_FILE), decision)
    with track(f"Releasing {name} {version}", total=len(manifest.files) + 1) as task:
        for file in manifest.files:
            store.upload(folder / file, release_key(name, version, file))
            task.advance()
        store.write(_predictions_key(name, version), predictions.model_dump_json().encode())
        store.upload(folder / MANIFEST_FILE, release_key(name, version))
        _point(store, name, version, pointer)
        task.advance()
    record(
        store,
        AuditEvent(
            event="released",
            feature_set=name,
            version=version,
            by=by,
            note=note,
            run_id=run_id,
            before=champion,
            verdict=VerdictSummary.of(verdict),
        ),
    )
    prune(store, name, keep)


def require_verdict(
    verdict: CandidateVerdict,
    manifest: BundleManifest,
    champion: str | None,
    minimum_roc_auc: float,
) -> None:
    """Refuse what the gate did not pass, was not asked about, or passed under other conditions.

    Args:
        verdict: the gate's.
        manifest: the bundle that is to be released.
        champion: the version that is released now; None where none is.
        minimum_roc_auc: as the settings say now.

    Raises:
        ReleaseRefused: the verdict did not pass, or champion or minimum have changed since.
        RecordsDiffer: the verdict is about another predictor, other metrics or another snapshot.
    """
    name, training = manifest.feature_set, manifest.training
    again = f"materialise {name}/verdict, then {name}/release again"
    for kind, judged, used in (
        ("feature set", verdict.feature_set, name),
        ("predictor", verdict.predictor_id, training.predictor_id),
        ("metrics", verdict.metrics_id, training.metrics_id),
        ("snapshot", verdict.snapshot_id, training.snapshot_id),
        ("loan_features", verdict.loan_features_id, training.loan_features_id),
    ):
        require_same(kind, ("the gate's verdict", judged), (f"the {name} candidate", used), again)
    if not verdict.passed:
        raise ReleaseRefused(
            f"{name} predictor {verdict.predictor_id} did not pass the gate: {verdict.refusal}. "
            "The release stays as it was; train another candidate, or where a setting was changed "
            f"{again}"
        )
    if verdict.champion != champion:
        raise ReleaseRefused(
            f"{name} predictor {verdict.predictor_id} was compared with release "
            f"{verdict.champion or 'none'}, but the current one is {champion or 'none'}: {again}"
        )
    if verdict.minimum_roc_auc != minimum_roc_auc:
        raise ReleaseRefused(
            f"{name} predictor {verdict.predictor_id} was judged with LOAN_MINIMUM_ROC_AUC="
            f"{verdict.minimum_roc_auc:g}, but the setting is {minimum_roc_auc:g} now: {again}"
        )


def releases(store: Store, name: FeatureSet) -> list[Release]:
    """Every complete release of a feature set that this software can read, newest first."""
    current = current_version(store, name)
    manifests = (read_manifest(store, name, version) for version in _versions(store, name))
    return [Release(manifest, manifest.version == current) for manifest in manifests if manifest]


def current_version(store: Store, name: FeatureSet) -> str | None:
    """The version that the pointer names; None where nothing was released."""
    pointer = store.read_pointer(latest_release_key(name))
    return None if pointer is None else str(pointer.value["version"])


def roll_back(
    store: Store, name: FeatureSet, version: str | None = None, *, by: str, note: str = ""
) -> BundleManifest:
    """Make an older release the latest again.

    Args:
        store: the lake.
        name: the feature set.
        version: which one; None takes the newest that is older than the current one.
        by: who does it, for the audit trail.
        note: why.

    Raises:
        ReleaseRefused: there is no such release, or another release was made at the same time.
    """
    pointer = store.read_pointer(latest_release_key(name))
    if pointer is None:
        raise ReleaseRefused(f"no {name} model was released yet: nothing to roll back to")
    kept = {release.version: release.manifest for release in releases(store, name)}
    older = sorted(other for other in kept if other < str(pointer.value["version"]))
    chosen = version if version is not None else (older[-1] if older else None)
    if chosen is None or chosen not in kept:
        wanted = f"{version} is not kept" if version else "none is older than the current one"
        raise ReleaseRefused(
            f"cannot roll back the {name} model: {wanted}; kept are "
            + ", ".join(sorted(kept, reverse=True))
        )
    _point(store, name, chosen, pointer)
    event = AuditEvent(
        event="rolled back",
        feature_set=name,
        version=chosen,
        by=by,
        note=note,
        before=str(pointer.value["version"]),
    )
    record(store, event)
    return kept[chosen]


def read_holdout_predictions(
    store: Store, name: FeatureSet, version: str
) -> HoldoutPredictions | None:
    """A release's out-of-time predictions; None where it has none."""
    try:
        return HoldoutPredictions.model_validate_json(store.read(_predictions_key(name, version)))
    except StoreKeyMissing:
        return None


def read_manifest(store: Store, name: FeatureSet, version: str) -> BundleManifest | None:
    """A release's manifest; None where there is none, or another version's of this software."""
    try:
        manifest = BundleManifest.model_validate_json(store.read(release_key(name, version)))
    except (StoreKeyMissing, ValidationError):
        return None
    return manifest if manifest.format == BUNDLE_FORMAT else None


def read_release_file(store: Store, name: FeatureSet, version: str, file: str) -> bytes:
    """One file of a release."""
    return store.read(release_key(name, version, file))


def _point(store: Store, name: FeatureSet, version: str, pointer: Pointer | None) -> None:
    token = pointer.token if pointer else None
    try:
        store.replace_pointer(latest_release_key(name), {"version": version}, token)
    except StoreConflict as error:
        raise ReleaseRefused(
            f"another {name} release was made while {version} was uploaded, and stays the latest; "
            "compare the two with `loan-pipeline releases`"
        ) from error


def prune(store: Store, name: FeatureSet, keep: int) -> None:
    """Remove what is older than the newest `keep` releases, never the current one.

    Folders without a manifest that are newer than those may be a release under way: they stay.
    """
    complete = [release.version for release in releases(store, name)]
    if len(complete) < keep:
        return
    current = current_version(store, name)
    for version in _versions(store, name):
        if version < complete[keep - 1] and version != current:
            # The manifest first: half a bundle must not look like one.
            store.delete(release_key(name, version))
            store.delete(f"{releases_folder(name)}/{version}")
            store.delete(_predictions_key(name, version))


def _versions(store: Store, name: FeatureSet) -> list[str]:
    return sorted(store.folders(releases_folder(name)), reverse=True)


def _predictions_key(name: FeatureSet, version: str) -> str:
    return f"{_HOLDOUT_PREDICTIONS}/{name}/{version}.json"
