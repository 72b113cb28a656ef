"""Folders that change hands in one step, so that whoever reads sees the old one or the new one."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = ".being-made"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new folder that becomes `path` at the end, or is removed on any failure.

    `path` is a link to the folder that was made last, replaced atomically. Folders that a killed
    process left behind are removed; those that another process is making stay.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_prefix(path), dir=path.parent))
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
            link = folder.with_name(folder.name + ".link")
            link.symlink_to(folder.name)
            link.replace(path)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    _remove_left_over(path)


def _remove_left_over(path: Path) -> None:
    current = path.resolve()
    for folder in path.parent.glob(_prefix(path) + "*"):
        if folder.is_symlink():
            folder.unlink(missing_ok=True)
        elif folder != current and not _is_being_made(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_being_made(folder: Path) -> bool:
    """Whether a living process holds the folder's lock."""
    try:
        with (folder / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _prefix(path: Path) -> str:
    return f".{path.name}~"  # no other path's prefix begins so
