# SPDX-License-Identifier: Apache-2.0
"""Files appear whole or not at all, and none is read that is absurdly large."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from videomdm.errors import UserError
from videomdm.motion.files import read_bytes, replacing, write_atomically


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_replaces_the_old_one_and_makes_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "walk.npz"
    for data in (b"old", b"new"):
        assert write_atomically(path, data) == path
        assert path.read_bytes() == data
    assert names(path.parent) == ["walk.npz"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no permission bits")
def test_permissions_follow_the_umask_unless_the_file_is_private(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "shared", b"")
        write_atomically(tmp_path / "secret", b"", private=True)
    finally:
        os.umask(before)
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in tmp_path.iterdir()}
    assert modes == {"shared": 0o640, "secret": 0o600}


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "walk.npz"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old" and names(tmp_path) == ["walk.npz"]


@pytest.mark.parametrize("target", ["file/walk.npz", "folder"])
def test_what_cannot_be_written_is_a_sentence(tmp_path: Path, target: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"{target} cannot be written"):
        write_atomically(tmp_path / target, b"data")
    assert names(tmp_path) == ["file", "folder"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX systems do")
def test_a_disk_that_fills_up_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import resource, sys\n"
        "from videomdm.errors import UserError\n"
        "from videomdm.motion.files import write_atomically\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_atomically(sys.argv[1], bytes(5000))\n"
        "except UserError as error:\n"
        "    print(error)\n"
    )
    (tmp_path / "walk.npz").write_bytes(b"old")
    command = [sys.executable, "-c", code, str(tmp_path / "walk.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "walk.npz cannot be written (File too large)" in done.stdout
    assert (tmp_path / "walk.npz").read_bytes() == b"old" and names(tmp_path) == ["walk.npz"]


def test_reading_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(2**20 + 1))
    assert len(read_bytes(path)) == 2**20 + 1
    with pytest.raises(UserError, match="has more than 1 MiB"):
        read_bytes(path, most=2**20)
    with pytest.raises(UserError, match="missing cannot be read"):
        read_bytes(tmp_path / "missing")
