# SPDX-License-Identifier: Apache-2.0
"""The library outlives crashes and damage."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from videomdm import protocol
from videomdm.errors import UserError
from videomdm.motion import Motion
from videomdm.server.library import Library


def motions(count: int = 2, caption: str = "a wave") -> list[Motion]:
    rng = np.random.default_rng(0)
    return [
        Motion(
            rng.normal(size=(5, 22, 3)),
            20.0,
            np.zeros((5, 4), bool),
            None,
            caption,
            {"model": "base", "seed": i},
        )
        for i in range(count)
    ]


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    job = protocol.new_job_id()
    library = Library(tmp_path)
    library.add(job, motions(), "base")
    library.close()
    library = Library(tmp_path)
    stored = library.get(job)
    assert stored is not None
    for one, other in zip(stored, motions(), strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)
        assert (one.caption, one.provenance) == (other.caption, other.provenance)
    (take,) = library.newest()
    assert (take.job, take.model, take.caption, take.samples, take.frames, take.fps) == (
        job, "base", "a wave", 2, 5, 20.0,
    )  # fmt: skip
    assert library.get(protocol.new_job_id()) is None
    library.close()


def test_the_list_is_newest_first_and_pages(tmp_path: Path) -> None:
    library = Library(tmp_path)
    jobs = [protocol.new_job_id() for _ in range(5)]
    for job in jobs:
        library.add(job, motions(1), "base")
    first = library.newest(limit=2)
    second = library.newest(limit=10, before=first[-1].created)
    assert [take.job for take in first + second] == jobs[::-1]
    library.close()


def test_the_longest_list_of_the_longest_captions_fits_into_one_message(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.add(protocol.new_job_id(), motions(1, "跳" * 1000), "base")
    (take,) = library.newest()
    assert set(take.caption) == {"跳"}
    takes = [msgspec.structs.replace(take, job=protocol.new_job_id()) for _ in range(500)]
    assert protocol.encode(protocol.Takes(protocol.new_job_id(), takes))
    library.close()


def test_adding_twice_keeps_the_first(tmp_path: Path) -> None:
    library = Library(tmp_path)
    job = protocol.new_job_id()
    library.add(job, motions(1, "first"), "base")
    library.add(job, motions(1, "second"), "base")
    stored = library.get(job)
    assert stored is not None
    assert [motion.caption for motion in stored] == ["first"]
    assert len(library.newest()) == 1
    library.close()


@pytest.mark.parametrize("damage", ["garbage", "truncated", "empty", "newer", "overwritten"])
def test_a_damaged_index_is_set_aside_and_made_again(tmp_path: Path, damage: str) -> None:
    library = Library(tmp_path)
    jobs = {protocol.new_job_id() for _ in range(30)}
    for job in jobs:
        library.add(job, motions(1), "base")
    library.close()
    index = tmp_path / "index.sqlite"
    data = index.read_bytes()
    if damage == "garbage":
        index.write_bytes(os.urandom(5000))
    elif damage == "truncated":
        index.write_bytes(data[: len(data) // 2])
    elif damage == "empty":
        index.write_bytes(b"")
    elif damage == "overwritten":
        index.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    else:
        with sqlite3.connect(index) as newer:
            newer.execute("PRAGMA user_version = 99")
        newer.close()
    library = Library(tmp_path)
    assert {take.job for take in library.newest()} == jobs
    assert {take.model for take in library.newest()} == {"base"}
    aside = list(tmp_path.glob("index.damaged-*.sqlite"))
    assert len(aside) == (damage != "empty")  # an empty file is simply a new index
    library.close()


def test_a_take_without_a_row_is_found_and_half_a_take_is_not(tmp_path: Path) -> None:
    whole, half = protocol.new_job_id(), protocol.new_job_id()
    library = Library(tmp_path)
    library.add(whole, motions(), "base")
    library.close()
    (tmp_path / "index.sqlite").unlink()  # as if the process had died before the row was written
    abandoned = tmp_path / "takes" / ".new-dead"
    abandoned.mkdir()
    os.utime(abandoned, (0, 0))
    (tmp_path / "takes" / half).mkdir()
    (tmp_path / "takes" / half / "00.npz").write_bytes(b"half")
    library = Library(tmp_path)
    assert [take.job for take in library.newest()] == [whole]
    assert not abandoned.exists()
    with pytest.raises(UserError, match="not a readable motion clip"):
        library.get(half)
    library.close()


def test_a_killed_process_loses_nothing_that_it_added(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from videomdm.motion import Motion\n"
        "from videomdm.server.library import Library\n"
        "library = Library(Path(sys.argv[1]))\n"
        "motion = Motion(np.zeros((3, 22, 3)), 20.0, np.zeros((3, 4), bool))\n"
        "for number in range(10):\n"
        "    library.add(f'{number:032x}', [motion], 'base')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    library = Library(tmp_path)
    assert {take.job for take in library.newest()} == {f"{number:032x}" for number in range(10)}
    library.close()


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "library").write_text("in the way")
    with pytest.raises(UserError, match="cannot be opened"):
        Library(tmp_path / "library")
