"""The store in a folder: rename makes each write whole, a lock file makes pointers atomic."""

import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loan_pipeline.lake.protocol import (
    Pointer,
    StoreConflict,
    StoreDenied,
    StoreError,
    StoreKeyMissing,
    checked_key,
    parsed_pointer,
)


class FolderStore:
    """A `Store` in a folder of this machine. Names that start with a dot are its own.

    Raises:
        StoreError: there is a file in the folder's place.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        for path in (self.root, *self.root.parents):
            if path.is_file():
                raise StoreError(
                    f"{self.url} cannot be used: {path} is a file where a folder is needed; move "
                    "it away, or choose another place"
                )

    def __repr__(self) -> str:
        return f"FolderStore({self.url})"

    @property
    def url(self) -> str:
        """The folder as a URL."""
        return self.root.as_uri()

    def path(self, key: str) -> Path:
        """Where the value of `key` lies."""
        return self.root / checked_key(key, may_be_empty=True)

    def read(self, key: str) -> bytes:
        """See `Store`."""
        with self._translated(key):
            return self.path(key).read_bytes()

    def write(self, key: str, data: bytes) -> None:
        """See `Store`."""
        with (
            self._translated(key),
            self._replacing(self.path(key)) as temporary,
            temporary.open("wb") as file,
        ):
            file.write(data)
            file.flush()
            _to_disk(file.fileno())

    def exists(self, key: str) -> bool:
        """See `Store`."""
        with self._translated(key):
            return self.path(key).is_file()

    def modified(self, key: str) -> datetime:
        """See `Store`."""
        with self._translated(key):
            return datetime.fromtimestamp(self.path(key).stat().st_mtime, UTC)

    def list(self, prefix: str = "") -> Sequence[str]:
        """See `Store`."""
        return sorted(self.sizes(prefix))

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """See `Store`."""
        found: dict[str, int] = {}
        with self._translated(prefix):
            for folder, folders, names in os.walk(self.path(prefix), onerror=_raise):
                folders[:] = [name for name in folders if not name.startswith(".")]
                for name in names:
                    if not name.startswith("."):
                        path = Path(folder, name)
                        found[path.relative_to(self.root).as_posix()] = path.stat().st_size
        return found

    def folders(self, prefix: str = "") -> Sequence[str]:
        """See `Store`."""
        folder = self.path(prefix)
        with self._translated(prefix):
            if not folder.is_dir():
                return []
            return sorted(
                entry.name
                for entry in folder.iterdir()
                if entry.is_dir() and not entry.name.startswith(".")
            )

    def delete(self, prefix: str) -> None:
        """See `Store`."""
        path = self.root / checked_key(prefix)
        with self._translated(prefix):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def download(self, key: str, path: Path) -> None:
        """See `Store`."""
        with self._translated(key), self._replacing(path) as temporary:
            shutil.copyfile(self.path(key), temporary)

    def upload(self, path: Path, key: str) -> None:
        """See `Store`."""
        with self._translated(str(path)), self._replacing(self.path(key)) as temporary:
            shutil.copyfile(path, temporary)
            with temporary.open("rb") as file:
                _to_disk(file.fileno())

    def read_pointer(self, key: str) -> Pointer | None:
        """See `Store`."""
        try:
            data = self.read(key)
        except StoreKeyMissing:
            return None
        return parsed_pointer(data, _token(data), f"{self.url}/{key}")

    def replace_pointer(
        self, key: str, value: dict[str, Any], expected_token: str | None
    ) -> Pointer:
        """See `Store`."""
        data = json.dumps(value, indent=1).encode()
        with self._locked(key):
            current = self.read_pointer(key)
            if (current.token if current else None) != expected_token:
                raise StoreConflict(f"{self.url}/{key} was replaced by somebody else meanwhile")
            self.write(key, data)
        return Pointer(value, _token(data))

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Keep other processes from replacing the pointer; a killed one's lock falls with it."""
        path = self.path(key)
        with self._translated(key):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = path.with_name(f".{path.name}.lock").open("ab")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _replacing(self, path: Path) -> Iterator[Path]:
        """A new file beside `path`, renamed to it at the end: a crash leaves `path` as it was."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            yield temporary
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise StoreKeyMissing(key, self.url) from error
        except PermissionError as error:
            raise StoreDenied(
                f"no permission for {error.filename or key} in {self.url}: "
                "give this user read and write access, or choose another LOAN_LAKE_URL"
            ) from error
        except OSError as error:
            raise StoreError(f"{self.url}/{key}: {error.strerror or error}") from error


def _token(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _to_disk(descriptor: int) -> None:
    """Have the bytes on disk before the rename: after a power cut no name has an empty file."""
    os.fsync(descriptor)


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
