"""Releases in the store: publish a bundle, list, roll back, keep the last few.

releases/<feature set>/<version>/…    bundles, their manifests written last
releases/<feature set>/latest.json    the pointer, replaced atomically at the end
evidence/<feature set>/<version>.json what the gate needs of a release later; no app reads it
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from loan_pipeline.contracts.bundle import MANIFEST_FILE, BundleManifest
from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.lake.protocol import Pointer, Store, StoreConflict, StoreKeyMissing
from loan_pipeline.progress import track
from loan_pipeline.training.errors import ReleaseRefused

_RELEASES, _EVIDENCE = "releases", "evidence"


class Evidence(BaseModel):
    """A release's out-of-time predictions, for comparison with later candidates.

    Attributes:
        out_of_time: probability of being paid off by loan id, from the release's twin, which
            did not see these loans.
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
    store: Store, folder: Path, manifest: BundleManifest, evidence: Evidence, *, keep: int
) -> None:
    """Upload a bundle and make it the latest; the oldest beyond `keep` are removed.

    Until the pointer is replaced, at the very end, whoever scores goes on with the old release.

    Args:
        store: the lake.
        folder: the bundle's, as `write_bundle` made it.
        manifest: its manifest.
        evidence: its twin's out-of-time predictions.
        keep: how many releases of the feature set remain, the latest among them.

    Raises:
        StoreError: the store refused; the old release is still the latest.
        ReleaseRefused: somebody else released at the same time.
    """
    name, version = manifest.feature_set, manifest.version
    pointer = store.read_pointer(_pointer_key(name))
    with track(f"Releasing {name} {version}", total=len(manifest.files) + 1) as task:
        for file in manifest.files:
            store.upload(folder / file, f"{_prefix(name, version)}/{file}")
            task.advance()
        store.write(_evidence_key(name, version), evidence.model_dump_json().encode())
        store.upload(folder / MANIFEST_FILE, f"{_prefix(name, version)}/{MANIFEST_FILE}")
        _point(store, name, version, pointer)
        task.advance()
    prune(store, name, keep)


def releases(store: Store, name: FeatureSet) -> list[Release]:
    """Every complete release of a feature set, newest first."""
    current = current_version(store, name)
    manifests = (_manifest(store, name, version) for version in _versions(store, name))
    return [Release(manifest, manifest.version == current) for manifest in manifests if manifest]


def current_version(store: Store, name: FeatureSet) -> str | None:
    """The version that the pointer names; None where nothing was released."""
    pointer = store.read_pointer(_pointer_key(name))
    return None if pointer is None else str(pointer.value["version"])


def roll_back(store: Store, name: FeatureSet, version: str | None = None) -> BundleManifest:
    """Make an older release the latest again.

    Args:
        store: the lake.
        name: the feature set.
        version: which one; None takes the newest that is older than the current one.

    Raises:
        ReleaseRefused: there is no such release, or somebody else released at the same time.
    """
    pointer = store.read_pointer(_pointer_key(name))
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
    return kept[chosen]


def read_evidence(store: Store, name: FeatureSet, version: str) -> Evidence | None:
    """A release's evidence; None where it has none."""
    try:
        return Evidence.model_validate_json(store.read(_evidence_key(name, version)))
    except StoreKeyMissing:
        return None


def read_release_file(store: Store, name: FeatureSet, version: str, file: str) -> bytes:
    """One file of a release."""
    return store.read(f"{_prefix(name, version)}/{file}")


def _point(store: Store, name: FeatureSet, version: str, pointer: Pointer | None) -> None:
    token = pointer.token if pointer else None
    try:
        store.replace_pointer(_pointer_key(name), {"version": version}, token)
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
            store.delete(f"{_prefix(name, version)}/{MANIFEST_FILE}")
            store.delete(_prefix(name, version))
            store.delete(_evidence_key(name, version))


def _versions(store: Store, name: FeatureSet) -> list[str]:
    return sorted(store.folders(f"{_RELEASES}/{name}"), reverse=True)


def _manifest(store: Store, name: FeatureSet, version: str) -> BundleManifest | None:
    try:
        text = store.read(f"{_prefix(name, version)}/{MANIFEST_FILE}")
    except StoreKeyMissing:
        return None
    return BundleManifest.model_validate_json(text)


def _prefix(name: FeatureSet, version: str) -> str:
    return f"{_RELEASES}/{name}/{version}"


def _pointer_key(name: FeatureSet) -> str:
    return f"{_RELEASES}/{name}/latest.json"


def _evidence_key(name: FeatureSet, version: str) -> str:
    return f"{_EVIDENCE}/{name}/{version}.json"
