"""Folders that appear in one step, so that a reader sees a whole one or none."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX, _LOCK = ".being-made-", ".lock"


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder that becomes `path` at the end, in place of what was there; removed on any failure.

    What a killed process left behind beside `path` is removed; what another process is still
    making stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=path.parent))
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
            (folder / _LOCK).unlink()
            shutil.rmtree(path, ignore_errors=True)
            folder.rename(path)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    _remove_left_over(path.parent)


def _remove_left_over(parent: Path) -> None:
    for folder in parent.glob(_PREFIX + "*"):
        if not _is_being_made(folder):
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
