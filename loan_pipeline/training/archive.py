"""Unpacks tar archives, on every Python that the project runs on.

`extractall(filter="data")` came in the middle of Python 3.11: Debian 12's does not have it.
"""

import shutil
import tarfile
from pathlib import Path


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack an archive of files and folders into a folder.

    Raises:
        tarfile.ReadError: it holds something else, or leads out of the folder.
    """
    inside = folder.resolve()
    for member in archive:
        path = (inside / member.name).resolve()
        if not path.is_relative_to(inside):
            raise tarfile.ReadError(f"{member.name} leads out of the archive's folder")
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
            continue
        content = archive.extractfile(member) if member.isfile() else None
        if content is None:
            raise tarfile.ReadError(f"{member.name} is neither a file nor a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        with content, path.open("wb") as target:
            shutil.copyfileobj(content, target)
