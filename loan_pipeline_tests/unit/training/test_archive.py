import io
import tarfile
from pathlib import Path

import pytest

from loan_pipeline.training.archive import unpack


def archive(*members: tarfile.TarInfo) -> tarfile.TarFile:
    """An archive in memory; each file holds its own name."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as target:
        for member in members:
            content = member.name.encode() if member.isfile() else b""
            member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    written.seek(0)
    return tarfile.open(fileobj=written)


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


def test_files_and_folders_are_unpacked(tmp_path: Path) -> None:
    with archive(member("a"), member("empty", tarfile.DIRTYPE), member("b/c/d")) as packed:
        unpack(packed, tmp_path / "new")
    found = {str(p.relative_to(tmp_path / "new")): p for p in (tmp_path / "new").rglob("*")}
    assert sorted(found) == ["a", "b", "b/c", "b/c/d", "empty"]
    assert found["b/c/d"].read_text() == "b/c/d"
    assert found["empty"].is_dir()


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside"])
def test_nothing_is_written_outside_the_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with archive(member(name)) as packed, pytest.raises(tarfile.ReadError, match="leads out"):
        unpack(packed, folder)
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(kind: bytes, tmp_path: Path) -> None:
    with (
        archive(member("a"), member("b", kind, "a")) as packed,
        pytest.raises(tarfile.ReadError, match="b is neither a file nor a folder"),
    ):
        unpack(packed, tmp_path)
    assert not (tmp_path / "b").exists()
