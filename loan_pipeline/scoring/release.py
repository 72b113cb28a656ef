"""The latest release of a feature set, from the store into a local folder, verified on the way.

Reads only; releases are made by the package `loan_pipeline.release`.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, Protocol

from loan_pipeline.contracts.bundle import MANIFEST_FILE, latest_release_key, release_key
from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.scoring.bundle import (
    BundleError,
    is_plain_name,
    load_bundle,
    read_manifest,
)
from loan_pipeline.scoring.scorer import LOSS_GIVEN_DEFAULT, Scorer

_KEPT = 3  # versions in the cache: in use, the one before, and one that another process has


class ReleaseStore(Protocol):
    """What is needed of the lake's store."""

    @property
    def url(self) -> str:
        """Where it is, safe to log."""

    def read(self, key: str) -> bytes:
        """The object's bytes."""

    def download(self, key: str, path: Path) -> None:
        """Copy the object to a file."""

    def read_pointer(self, key: str) -> Any:
        """What a pointer holds (`.value`), None where there is none."""


class NoRelease(LoanPipelineError):
    """Nothing was released yet."""


def latest_version(store: ReleaseStore, feature_set: FeatureSet) -> str:
    """The version that was released last.

    Raises:
        NoRelease: none was released.
        BundleError: the pointer holds no version.
    """
    key = latest_release_key(feature_set)
    pointer = store.read_pointer(key)
    if pointer is None:
        raise NoRelease(
            f"no {feature_set} model was released to {store.url} yet: `make run` trains and "
            "releases one"
        )
    version = pointer.value.get("version") if isinstance(pointer.value, dict) else None
    if not isinstance(version, str) or not is_plain_name(version):
        raise BundleError(f"{store.url}/{key} names no version: release again")
    return version


def fetch_release(store: ReleaseStore, feature_set: FeatureSet, cache_dir: Path) -> Path:
    """Fetch the latest release into the cache, if it is not there yet.

    Args:
        store: where releases are.
        feature_set: which of the two models.
        cache_dir: local folder; `<feature set>/<version>/` is made in it, all or nothing.

    Returns:
        The bundle's folder.

    Raises:
        NoRelease: none was released.
        BundleError: the release does not verify; the cache is as it was.
    """
    version = latest_version(store, feature_set)
    folder = cache_dir / feature_set / version
    if not _is_sound(folder):
        _fetch(store, feature_set, version, folder)
    _prune(folder)
    return folder


def load_latest(
    store: ReleaseStore,
    feature_set: FeatureSet,
    cache_dir: Path,
    *,
    allow_pickles: bool = False,
    loss_given_default: float = LOSS_GIVEN_DEFAULT,
) -> Scorer:
    """A scorer with the latest release; arguments and errors are those of both parts."""
    bundle = load_bundle(fetch_release(store, feature_set, cache_dir))
    return Scorer(bundle, allow_pickles=allow_pickles, loss_given_default=loss_given_default)


def _is_sound(folder: Path) -> bool:
    if not folder.exists():
        return False
    try:
        load_bundle(folder)
    except BundleError:
        shutil.rmtree(folder, ignore_errors=True)
        return False
    return True


def _fetch(store: ReleaseStore, feature_set: FeatureSet, version: str, folder: Path) -> None:
    key = release_key(feature_set, version)
    place = f"{store.url}/{key}"
    text = store.read(key)
    manifest = read_manifest(text, place)
    if (manifest.version, manifest.feature_set) != (version, feature_set):
        raise BundleError(
            f"{place} describes {manifest.feature_set} {manifest.version}: release again"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as temporary:
        arriving = Path(temporary) / version
        arriving.mkdir()
        for name in manifest.files:
            store.download(release_key(feature_set, version, name), arriving / name)
        (arriving / MANIFEST_FILE).write_bytes(text)
        load_bundle(arriving)
        try:
            arriving.rename(folder)
        except OSError:
            # Another process was faster: its folder is as good, if it verifies.
            load_bundle(folder)


def _prune(current: Path) -> None:
    """Remove all but the newest cached versions; open files of removed ones stay readable."""
    versions = sorted(
        path.name for path in current.parent.iterdir() if re.match(r"[A-Za-z0-9]", path.name)
    )
    for name in versions[: max(0, len(versions) - _KEPT)]:
        if name != current.name and os.access(current.parent, os.W_OK):
            shutil.rmtree(current.parent / name, ignore_errors=True)
