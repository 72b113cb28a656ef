"""A folder appears whole or not at all, and what was killed is cleared away."""

import subprocess
import sys
from pathlib import Path

import pytest

from loan_pipeline.training.atomic_folder import new_folder


def test_a_folder_appears_at_the_end_in_place_of_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "made"
    for text in ("first", "second"):
        with new_folder(path) as folder:
            (folder / "file").write_text(text)
        assert (path / "file").read_text() == text
        assert [one.name for one in path.iterdir()] == ["file"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "made"
    with new_folder(path) as folder:
        (folder / "file").write_text("good")
    with pytest.raises(FileNotFoundError), new_folder(path) as folder:
        (folder / "no such folder" / "file").write_text("bad")
    assert (path / "file").read_text() == "good"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_goes_and_what_another_is_making_stays(tmp_path: Path) -> None:
    killed = (
        "import os, signal, sys; from pathlib import Path\n"
        "from loan_pipeline.training.atomic_folder import new_folder\n"
        "with new_folder(Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[3]
    subprocess.run(
        [sys.executable, "-c", killed, str(tmp_path / "a")], cwd=root, check=False, timeout=60
    )
    [left] = tmp_path.iterdir()
    with new_folder(tmp_path / "b") as under_way:
        with new_folder(tmp_path / "c"):
            pass
        assert not left.exists()
        assert under_way.exists()
    assert {one.name for one in tmp_path.iterdir()} == {"b", "c"}
