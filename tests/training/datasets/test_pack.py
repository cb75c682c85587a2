# SPDX-License-Identifier: Apache-2.0
"""The packed data set: exact to half a millimetre, small, whole or refused."""

from __future__ import annotations

import hashlib
import json
import lzma
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from videomdm.errors import UserError
from videomdm_training.datasets.pack import FARTHEST, MAGIC, UNITS_PER_METRE, Pack, Segment

SEGMENT = Segment(
    id="a@0-1",
    take="a",
    start_frame=5,
    end_frame=25,
    split="train",
    role="prior",
    captions=("someone strolls", "a person walks — slowly"),
    caption_source="project",
    group="a",
    description="walk",
)


def walk(frames: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    body = rng.normal(size=(1, 22, 3))
    drift = np.cumsum(rng.normal(scale=0.05, size=(frames, 1, 3)), axis=0)
    return body + drift + 0.2 * np.sin(np.arange(frames) / 7)[:, None, None]


@pytest.fixture
def takes() -> dict[str, np.ndarray]:
    return {
        "b": walk(40, 1),
        "a": walk(30, 2),
        "single": walk(1, 3),
        "far": walk(12, 4) + np.array([300.0, 0.0, -900.0]),
    }


@pytest.fixture
def path(tmp_path: Path, takes: dict[str, np.ndarray]) -> Path:
    suspect = Segment(
        **{**vars(SEGMENT), "id": "b@0-2", "take": "b", "split": "val", "suspect": "joint speed"}
    )
    return Pack.save(tmp_path / "set.pack", takes, [SEGMENT, suspect], {"licence": "ours"})


def test_what_was_packed_comes_back(path: Path, takes: dict[str, np.ndarray]) -> None:
    pack = Pack.load(path)
    assert pack.positions.dtype == np.float32
    assert pack.positions.flags.c_contiguous
    assert list(pack.takes) == list(takes)
    for name, positions in takes.items():
        limit = 0.5 / UNITS_PER_METRE + 1e-6 * np.abs(positions).max()
        assert np.abs(pack.positions[pack.takes[name]] - positions).max() <= limit
    assert pack.segments[0] == SEGMENT
    assert (pack.fps, pack.notes) == (20.0, {"licence": "ours"})


def test_a_clip_is_a_view_of_its_frames(path: Path, takes: dict[str, np.ndarray]) -> None:
    pack = Pack.load(path)
    clip = pack.clip(SEGMENT)
    assert len(clip) == len(SEGMENT) == 20
    assert np.shares_memory(clip, pack.positions)
    np.testing.assert_allclose(clip, takes["a"][5:25], atol=0.5e-3)


def test_select_leaves_out_what_is_suspect(path: Path) -> None:
    pack = Pack.load(path)
    assert pack.select() == [SEGMENT]
    assert len(pack.select(suspect=True)) == 2
    assert pack.select("train", "prior") == [SEGMENT]
    assert not pack.select("train", "teacher")
    assert not pack.select("val")


def test_motion_takes_far_fewer_bytes_than_floats(tmp_path: Path) -> None:
    time = np.arange(2000)[:, None, None] / 20
    phase = np.random.default_rng(0).uniform(0, 6, (1, 22, 3))
    path = Pack.save(tmp_path / "set.pack", {"a": 0.4 * np.sin(3 * time + phase)}, [SEGMENT], {})
    assert path.stat().st_size < 2000 * 66 * 4 / 5


@pytest.mark.parametrize("place", [9, 30, 60, 200, -1])
def test_one_flipped_bit_is_noticed(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"damaged|version"):
        Pack.load(path)


@pytest.mark.parametrize("keep", [0, 7, 20, 100, -1])
def test_a_cut_file_is_refused(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"damaged|not a packed"):
        Pack.load(path)


def test_other_files_and_versions_are_named(tmp_path: Path, path: Path) -> None:
    other = tmp_path / "other.pack"
    other.write_bytes(lzma.compress(b"something else"))
    with pytest.raises(UserError, match="not a packed data set"):
        Pack.load(other)
    path.write_bytes(MAGIC + (99).to_bytes(4, "little") + path.read_bytes()[12:])
    with pytest.raises(UserError, match="version 99"):
        Pack.load(path)
    with pytest.raises(UserError, match="none"):
        Pack.load(tmp_path / "none.pack")


def test_a_segment_outside_its_take_is_a_fault_of_the_program(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="outside"):
        Pack.save(tmp_path / "set.pack", {"a": walk(24)}, [SEGMENT], {})
    assert not list(tmp_path.iterdir())


def crafted(path: Path, motion: bytes, **more: object) -> Path:
    """A file with a right checksum and the given motion; ``more`` goes into its index."""
    index = {"fps": 20, "units_per_metre": UNITS_PER_METRE, "takes": [], "segments": [], "notes": {}} | more
    packed, data = lzma.compress(json.dumps(index).encode()), lzma.compress(motion, preset=1)
    header = MAGIC + (1).to_bytes(4, "little") + len(packed).to_bytes(8, "little")
    path.write_bytes(header + hashlib.sha256(packed + data).digest() + packed + data)
    return path


def test_no_more_is_unpacked_than_the_index_says(tmp_path: Path) -> None:
    path = crafted(tmp_path / "bomb.pack", bytes(1 << 25))
    assert path.stat().st_size < 1 << 15
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="damaged"):
            Pack.load(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24  # the unpacker itself takes half of this
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("frames", [2, 4, -3, 1e30, 10**30, float("inf"), "many"])
def test_motion_of_another_length_than_its_takes_is_refused(tmp_path: Path, frames: object) -> None:
    three = crafted(tmp_path / "a.pack", bytes(3 * 66 * 3), takes=[{"name": "a", "frames": 3}])
    assert not Pack.load(three).positions.any()
    with pytest.raises(UserError, match="damaged"):
        Pack.load(crafted(three, bytes(3 * 66 * 3), takes=[{"name": "a", "frames": frames}]))


@pytest.mark.parametrize("units", [0, -1, float("nan"), float("inf")])
def test_units_that_are_none_are_refused(tmp_path: Path, units: float) -> None:
    with pytest.raises(UserError, match="damaged"):
        Pack.load(crafted(tmp_path / "a.pack", b"", units_per_metre=units))


@pytest.mark.parametrize(
    "wrong",
    [
        {"start_frame": -1},
        {"end_frame": 31},
        {"start_frame": 25},
        {"end_frame": 24.5},
        {"end_frame": "25"},
        {"take": "b"},
    ],
)
def test_segments_outside_their_take_are_refused_when_read(tmp_path: Path, wrong: dict[str, object]) -> None:
    def file(**more: object) -> Path:
        segments = [{**vars(SEGMENT), **more}]
        takes = [{"name": "a", "frames": 30}]
        return crafted(tmp_path / "a.pack", bytes(30 * 66 * 3), takes=takes, segments=segments)

    assert Pack.load(file()).segments == (SEGMENT,)
    with pytest.raises(UserError, match="damaged"):
        Pack.load(file(**wrong))


def test_one_frame_astray_can_still_be_packed(tmp_path: Path) -> None:
    astray = np.zeros((30, 22, 3))
    astray[9], astray[10], astray[10, 1:], astray[11] = -FARTHEST, FARTHEST, -FARTHEST, -FARTHEST
    path = Pack.save(tmp_path / "a.pack", {"a": astray}, [SEGMENT], {})
    np.testing.assert_allclose(Pack.load(path).positions, astray, atol=1e-3)
