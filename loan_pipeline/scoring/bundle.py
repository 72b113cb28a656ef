"""A released bundle on disk: read, verified to the last byte, and only then used.

Nothing here runs or unpickles any of it. `release` fetches bundles, `model` opens their models.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from loan_pipeline.contracts.bundle import (
    ACCOUNTS_FILE,
    BUNDLE_FORMAT,
    MANIFEST_FILE,
    BundleManifest,
    model_file,
)
from loan_pipeline.contracts.features import (
    FEATURES_BY_NAME,
    Feature,
    contract_version,
    feature_set,
)
from loan_pipeline.errors import LoanPipelineError

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_FORMAT_IN_MANIFEST = re.compile(r'"format"\s*:\s*(\d+)')
_CHUNK_BYTES = 1 << 20


class BundleError(LoanPipelineError):
    """A bundle that must not be used; the message names the bundle, the file and the fix."""


@dataclass(frozen=True)
class Bundle:
    """A verified bundle.

    Attributes:
        folder: where its files lie.
        manifest: what it is.
        model: the bytes of the model's file, exactly those that were verified.
    """

    folder: Path
    manifest: BundleManifest
    model: bytes

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The model's inputs, in its order."""
        return tuple(FEATURES_BY_NAME[one.name] for one in self.manifest.features)

    @cached_property
    def baseline(self) -> NDArray[np.float64]:
        """The model's numbers for the reference loan, shape [features]; null is NaN."""
        return np.array([f.baseline for f in self.manifest.features], dtype=np.float64)

    @property
    def model_place(self) -> str:
        """What messages call the model's file."""
        return f"bundle {self.manifest.version}: {self.folder / model_file(self.manifest.kind)}"

    @property
    def pictures(self) -> tuple[str, ...]:
        """Names of the model page's pictures, sorted."""
        return tuple(sorted(name for name in self.manifest.files if name.endswith(".svg")))


def is_plain_name(name: str) -> bool:
    """Whether `name` is a file name that cannot lead out of its folder."""
    return bool(_PLAIN_NAME.fullmatch(name)) and ".." not in name


def read_manifest(text: bytes, place: str) -> BundleManifest:
    """Read a manifest and check that this software may use its bundle.

    Args:
        text: the manifest's JSON.
        place: where it was found, for the message.

    Raises:
        BundleError: not a manifest, of another format, or made for another feature contract.
    """
    form = _FORMAT_IN_MANIFEST.search(text.decode(errors="replace"))
    if form and int(form[1][:9]) != BUNDLE_FORMAT:
        raise BundleError(
            f"{place} has bundle format {form[1][:9]}, this software reads {BUNDLE_FORMAT}: "
            "install the version that released it, or release again with this one"
        )
    try:
        manifest = BundleManifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise BundleError(
            f"{place} is not a bundle manifest ({where}: {first['msg']}): release again"
        ) from None
    _check_manifest(manifest, place)
    return manifest


def _check_manifest(manifest: BundleManifest, place: str) -> None:
    names = [feature.name for feature in manifest.features]
    excluded = {one.name for one in feature_set(manifest.feature_set)} - set(names)
    expected = contract_version(manifest.feature_set, excluded)
    if manifest.contract_version != expected:
        raise BundleError(
            f"{place} was made for feature contract {manifest.contract_version} of the "
            f"{manifest.feature_set} set, this software has {expected}: release again"
        )
    if [one.name for one in feature_set(manifest.feature_set, excluded)] != names:
        raise BundleError(f"{place} lists other features than its contract: release again")
    needed = {model_file(manifest.kind)} | (
        {ACCOUNTS_FILE} if manifest.feature_set == "behavioural" else set()
    )
    if missing := needed - manifest.files.keys():
        raise BundleError(f"{place} lacks {', '.join(sorted(missing))}: release again")
    for name in (*manifest.files, manifest.version):
        if not is_plain_name(name) or name == MANIFEST_FILE:
            raise BundleError(f"{place} has the name {name!r}, which no bundle may have")


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle and verify the size and the SHA-256 of every file.

    Args:
        folder: holds `manifest.json` and the files that it lists.

    Raises:
        BundleError: a file is missing, cut short or changed, or the manifest is refused.
    """
    place = f"{folder / MANIFEST_FILE}"
    try:
        manifest = read_manifest((folder / MANIFEST_FILE).read_bytes(), place)
        model_name = model_file(manifest.kind)
        for name in manifest.files:
            if name != model_name:
                _verify(folder, name, manifest)
        model = (folder / model_name).read_bytes()
    except OSError as error:
        raise BundleError(
            f"bundle {folder} cannot be read ({error.strerror}: {error.filename}): "
            "remove the folder, so that it is fetched again"
        ) from error
    require_intact(model, model_name, manifest, f"{folder / model_name}")
    return Bundle(folder, manifest, model)


def require_intact(data: bytes, name: str, manifest: BundleManifest, place: str) -> None:
    """Refuse bytes that are not what the manifest says of the file `name`.

    Raises:
        BundleError: another size or SHA-256; `place` is where they were found.
    """
    _compare(place, name, manifest, len(data), hashlib.sha256(data).hexdigest())


def _verify(folder: Path, name: str, manifest: BundleManifest) -> None:
    digest, size = hashlib.sha256(), 0
    with (folder / name).open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    _compare(f"{folder / name}", name, manifest, size, digest.hexdigest())


def _compare(place: str, name: str, manifest: BundleManifest, size: int, sha256: str) -> None:
    expected = manifest.files[name]
    if size != expected.bytes:
        problem = f"has {size:,} bytes instead of {expected.bytes:,}"
    elif sha256 != expected.sha256:
        problem = "has another SHA-256 than its manifest says"
    else:
        return
    raise BundleError(
        f"bundle {manifest.version}: {place} {problem}: "
        "remove the folder, so that it is fetched again, or release again"
    )
