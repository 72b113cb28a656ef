"""Predictors in the lake: saved as a verified archive, fetched into a local cache, listed, pruned.

The archives are pickles of our own making, which only the pipeline opens: what serves opens a
bundle. What a predictor does belongs to `predictor`.
"""

import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Collection
from pathlib import Path

from pydantic import ValidationError

from loan_pipeline.contracts.bundle import BundleFile
from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.contracts.predictor import (
    ARCHIVE_FILE,
    PREDICTORS,
    PredictorManifest,
    predictor_folder,
    predictor_key,
)
from loan_pipeline.lake.protocol import Store, StoreKeyMissing
from loan_pipeline.training.archive import unpack
from loan_pipeline.training.atomic_folder import new_folder
from loan_pipeline.training.errors import ModelError
from loan_pipeline.training.predictor import TrainedPredictor, load_predictor

_CACHED = 4  # per feature set: a candidate and the one before, each with its holdout predictor


class PredictorDamaged(ModelError):
    """What the lake holds of a predictor is not what its manifest says."""


def cached_path(cache: Path, name: FeatureSet, predictor_id: str) -> Path:
    """Where a predictor is on this machine, if it is: train it here, or fetch it."""
    return cache / name / predictor_id


def save_predictor(
    store: Store,
    trained: TrainedPredictor,
    manifest: PredictorManifest,
    extra: dict[str, bytes],
) -> PredictorManifest:
    """Put a predictor into the lake, its manifest last.

    Args:
        store: the lake.
        trained: the predictor, loaded from its folder.
        manifest: what it was made from; `files` is filled in here.
        extra: further files by name, such as the exported graph.

    Returns:
        The manifest as it was written.
    """
    name, predictor_id = manifest.feature_set, manifest.predictor_id
    files = {}
    with tempfile.TemporaryDirectory(prefix="archive-") as folder:
        archive = Path(folder) / ARCHIVE_FILE
        with tarfile.open(archive, "w:gz") as packed:
            packed.add(trained.path, ".")
        for file, data in extra.items():
            (Path(folder) / file).write_bytes(data)
        for path in sorted(Path(folder).iterdir()):
            with path.open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
            files[path.name] = BundleFile(bytes=path.stat().st_size, sha256=digest)
            store.upload(path, predictor_key(name, predictor_id, path.name))
    complete = manifest.model_copy(update={"files": files})
    text = complete.model_dump_json(indent=1).encode()
    store.write(predictor_key(name, predictor_id), text)
    return complete


def open_predictor(store: Store, manifest: PredictorManifest, cache: Path) -> TrainedPredictor:
    """A predictor of the lake, ready to predict; fetched and verified where it is not cached.

    Args:
        store: the lake.
        manifest: which one, as `list_predictors` or an asset's record gives it.
        cache: a local folder; `<feature set>/<id>/` is made in it, all or nothing.

    Raises:
        PredictorDamaged: the archive is not what the manifest says.
        StoreKeyMissing: it is not kept any more.
        ModelError: it was made for other features.
    """
    path = cached_path(cache, manifest.feature_set, manifest.predictor_id)
    if not path.is_dir():
        with (
            tempfile.TemporaryDirectory(prefix="archive-") as folder,
            new_folder(path) as arriving,
        ):
            archive = Path(folder) / ARCHIVE_FILE
            archive.write_bytes(read_predictor_file(store, manifest, ARCHIVE_FILE))
            with tarfile.open(archive) as packed:
                unpack(packed, arriving)
    _prune_cache(path)
    return load_predictor(path)


def read_predictor_file(store: Store, manifest: PredictorManifest, file: str) -> bytes:
    """One file of a predictor, verified; errors as of `open_predictor`."""
    key = predictor_key(manifest.feature_set, manifest.predictor_id, file)
    data = store.read(key)
    expected = manifest.files.get(file)
    if expected is None or hashlib.sha256(data).hexdigest() != expected.sha256:
        raise PredictorDamaged(
            f"{store.url}/{key} is not what the manifest of predictor {manifest.predictor_id} "
            f"says: materialise {manifest.feature_set}/predictor again"
        )
    return data


def list_predictors(store: Store, name: FeatureSet) -> list[PredictorManifest]:
    """Every complete predictor of a feature set, newest first, holdout predictors among them.

    What another version of this software wrote, and cannot be read, is left out.
    """
    found = []
    for predictor_id in sorted(store.folders(f"{PREDICTORS}/{name}"), reverse=True):
        try:
            text = store.read(predictor_key(name, predictor_id))
            found.append(PredictorManifest.model_validate_json(text))
        except (StoreKeyMissing, ValidationError):
            continue
    return found


def delete_old_predictors(
    store: Store, name: FeatureSet, keep: int, referred: Collection[str]
) -> list[str]:
    """Delete all but the newest `keep` predictors and those that are referred to.

    A holdout predictor goes with the one whose test it makes. A folder without a manifest that is
    newer than the oldest one kept may be a training under way: it stays.

    Args:
        store: the lake.
        name: the feature set.
        keep: how many predictors for release stay, at least one.
        referred: ids that stay whatever their age.

    Returns:
        The ids deleted.
    """
    complete = list_predictors(store, name)
    for_release = [one.predictor_id for one in complete if one.holdout_of is None]
    kept = {*for_release[:keep], *referred}
    kept |= {one.predictor_id for one in complete if one.holdout_of in kept}
    oldest = for_release[:keep][-1] if for_release else ""
    known = {one.predictor_id for one in complete}
    doomed = [
        predictor_id
        for predictor_id in store.folders(f"{PREDICTORS}/{name}")
        if predictor_id not in kept and (predictor_id in known or predictor_id < oldest)
    ]
    for predictor_id in doomed:
        # The manifest first: half a predictor must not look like one.
        store.delete(predictor_key(name, predictor_id))
        store.delete(predictor_folder(name, predictor_id))
    return doomed


def _prune_cache(current: Path) -> None:
    """Keep the newest few cached predictors, and the current one."""
    cached = sorted(path for path in current.parent.iterdir() if not path.name.startswith("."))
    for path in cached[:-_CACHED]:
        if path != current:
            shutil.rmtree(path, ignore_errors=True)
