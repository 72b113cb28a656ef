"""Where the files of a source are: in a folder or its subfolders, in a zip, packed with gzip."""

import gzip
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, cast

from loan_pipeline.bank.errors import SourceError

# Subfolders of subfolders are looked through, not whole disks.
_DEPTH = 3
_FILES_SHOWN = 12


@dataclass(frozen=True)
class Place:
    """A file that may hold tables.

    Attributes:
        shown: where it is, for people.
        folder: the folder that it stands in, within the source.
        name: its name in lower case, without the `.gz` of a packed file.
        open: opens its unpacked bytes.
        size: in bytes, unpacked; None where that is not known.
    """

    shown: str
    folder: str
    name: str
    open: Callable[[], IO[bytes]]
    size: int | None


def places_in(path: Path) -> list[Place]:
    """The files of a source: those in a folder and its subfolders, in a zip, or the file itself.

    Raises:
        SourceError: the folder or the zip cannot be read.
    """
    try:
        if path.is_dir():
            files = sorted(_files_below(path, _DEPTH))
            return [_place(file, str(file.parent.relative_to(path))) for file in files]
        if path.suffix.lower() == ".zip":
            return list(_members(path))
        return [_place(path, "")]
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from None


def zips_in(path: Path) -> list[Path]:
    """The zip files in a folder."""
    return sorted(p for p in path.iterdir() if p.suffix.lower() == ".zip") if path.is_dir() else []


def listed(places: list[Place]) -> str:
    """The files for a message, some of them where they are many."""
    names = [str(PurePosixPath(place.folder) / place.name) for place in places]
    more = f" and {len(names) - _FILES_SHOWN} more" if len(names) > _FILES_SHOWN else ""
    return ", ".join(names[:_FILES_SHOWN]) + more if names else "no file at all"


def _files_below(folder: Path, depth: int) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name == "__MACOSX":
            continue
        if path.is_file():
            yield path
        elif depth and path.is_dir():
            yield from _files_below(path, depth - 1)


def _place(path: Path, folder: str) -> Place:
    name = path.name.lower()
    if name.endswith(".gz"):
        return Place(str(path), folder, name.removesuffix(".gz"), partial(_open_gzip, path), None)
    return Place(str(path), folder, name, partial(_open, path), path.stat().st_size)


def _members(path: Path) -> Iterator[Place]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise SourceError(f"{path} cannot be read as a zip file: {error}.") from None
    for member in members:
        inside = PurePosixPath(member.filename)
        if member.is_dir() or "__MACOSX" in inside.parts:
            continue
        opener: Callable[[], IO[bytes]] = partial(_open_member, path, member.filename)
        name, size = inside.name.lower(), member.file_size
        if name.endswith(".gz"):
            opener, name, size = partial(_unpacked, opener), name.removesuffix(".gz"), 0
        shown = f"{path}:{member.filename}"
        yield Place(shown, str(inside.parent), name, opener, size or None)


def _open(path: Path) -> IO[bytes]:
    return path.open("rb")


def _open_gzip(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path))


def _unpacked(opener: Callable[[], IO[bytes]]) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(opener()))


def _open_member(path: Path, member: str) -> IO[bytes]:
    with zipfile.ZipFile(path) as archive:
        return archive.open(member)  # stays readable after the archive is closed
