"""The store: named bytes in a folder or under an S3 prefix, and pointers replaced atomically.

The web app reads released models through it, so it needs the standard library alone, and boto3
only where the store is on S3. What the bytes mean belongs to the packages that write them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from loan_pipeline.errors import LoanPipelineError


class StoreError(LoanPipelineError):
    """The store did not do what was asked of it."""


class StoreKeyMissing(StoreError):
    """Nothing is stored under the key.

    Attributes:
        key: the key asked for.
    """

    def __init__(self, key: str, url: str) -> None:
        super().__init__(f"{url} holds nothing called {key}")
        self.key = key


class StoreConflict(StoreError):
    """Somebody else replaced the pointer since it was read; read it again and decide anew."""


class StoreDenied(StoreError):
    """The credentials, or the folder's owner and mode, do not allow the access."""


@dataclass(frozen=True)
class Pointer:
    """A small JSON object that names the current one of many things.

    Attributes:
        value: the object.
        token: changes whenever the pointer is replaced.
    """

    value: dict[str, Any]
    token: str


class Store(Protocol):
    """Named bytes. A key is a relative path with `/`; a reader never sees half a value.

    Every method raises `StoreDenied` where access is refused, and `StoreError` for all else that
    went wrong; messages name the key and never a secret.
    """

    @property
    def url(self) -> str:
        """Where the store is, safe to log."""

    def read(self, key: str) -> bytes:
        """The bytes stored under `key`; raises `StoreKeyMissing`."""

    def write(self, key: str, data: bytes) -> None:
        """Store `data` under `key`, whole or not at all, over what was there."""

    def exists(self, key: str) -> bool:
        """Whether something is stored under exactly this key."""

    def modified(self, key: str) -> datetime:
        """When the value was stored, in UTC; raises `StoreKeyMissing`."""

    def list(self, prefix: str = "") -> Sequence[str]:
        """Every key in the folder `prefix` and below it, sorted."""

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """Like `list`, with each key's size in bytes."""

    def folders(self, prefix: str = "") -> Sequence[str]:
        """The names of the folders directly in the folder `prefix`, sorted."""

    def delete(self, prefix: str) -> None:
        """Delete the key `prefix` and everything in the folder of that name, where there is any."""

    def download(self, key: str, path: Path) -> None:
        """Copy the value to the file `path`, whole or not at all; raises `StoreKeyMissing`."""

    def upload(self, path: Path, key: str) -> None:
        """Copy the file `path` to `key`, whole or not at all."""

    def read_pointer(self, key: str) -> Pointer | None:
        """The pointer stored under `key`; None where it was never set."""

    def replace_pointer(
        self, key: str, value: dict[str, Any], expected_token: str | None
    ) -> Pointer:
        """Set the pointer atomically, provided that it has not changed since it was read.

        Args:
            key: the pointer's key.
            value: the new JSON object.
            expected_token: the token of the pointer that was read; None where there was none.

        Raises:
            StoreConflict: the pointer's token is not the expected one.
        """


def checked_key(key: str, *, may_be_empty: bool = False) -> str:
    """`key` itself, where it is a plain relative path; StoreError where it could lead elsewhere."""
    if key == "" and may_be_empty:
        return key
    hidden = any(part.startswith(".") for part in key.split("/"))
    if hidden or key.startswith("/") or str(PurePosixPath(key)) != key:
        raise StoreError(f"{key!r} is no key: use a relative path such as snapshots/latest.json")
    return key


def parsed_pointer(data: bytes, token: str, place: str) -> Pointer:
    """The pointer that `data` holds; StoreError where it holds none."""
    try:
        value = json.loads(data)
    except ValueError as error:
        raise StoreError(f"{place} is no JSON: delete it, then publish again") from error
    if not isinstance(value, dict):
        raise StoreError(f"{place} is no JSON object: delete it, then publish again")
    return Pointer(value, token)
