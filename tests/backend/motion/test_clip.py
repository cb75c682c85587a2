# SPDX-License-Identifier: Apache-2.0
"""Clip files come back as they were, and no damaged or hostile one does more than raise a sentence."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from videomdm.errors import UserError
from videomdm.motion import Motion
from videomdm.motion.npz import read_npz


def clip(frames: int = 4) -> Motion:
    positions = np.random.default_rng(0).normal(size=(frames, 22, 3))
    features = np.ones((frames, 263), np.float32)
    return Motion(positions, 30.0, None, features, "a wave", {"seed": 3})


def archive(**members: bytes) -> bytes:
    """A ZIP archive of ``NAME.npy`` files with these bytes, on top of those of a clip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(clip().to_bytes())) as old, zipfile.ZipFile(buffer, "w", 8) as new:
        for name in {*old.namelist()} - {f"{name}.npy" for name in members}:
            new.writestr(name, old.read(name))
        for name, data in members.items():
            new.writestr(f"{name}.npy", data)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def header(shape: str, dtype: str = "<f4") -> bytes:
    """An ``.npy`` file that claims to hold an array, and holds 8 bytes."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(8)


def test_a_clip_comes_back(tmp_path: Path) -> None:
    saved = clip()
    loaded = Motion.load(saved.save(tmp_path / "wave.npz"))
    for name in ("positions", "contacts", "features"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(saved, name))
    assert (loaded.fps, loaded.caption, loaded.provenance) == (30.0, "a wave", {"seed": 3})


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    trap = Trap(tmp_path / "sprung")
    for data in (archive(positions=npy(np.array([trap], object))), pickle.dumps(trap)):
        with pytest.raises(UserError, match="not a readable motion clip"):
            Motion.from_bytes(data)
    assert not trap.path.exists()


def meta(**changes: object) -> bytes:
    known = {"version": 1, "fps": 20, "caption": "", "provenance": {}}
    return npy(np.array(json.dumps(known | changes)))


HOSTILE = {
    "nothing": b"",
    "text": b"walk",
    "a cut file": clip().to_bytes()[:-40],
    "a huge shape": archive(positions=header("(1000000, 1000000, 3)")),
    "a shape that overflows": archive(positions=header("(4294967296, 4294967296, 16)")),
    "negative sizes": archive(positions=header("(-1, -2)")),
    "a header that is code": archive(positions=header("__import__('os').getcwd()")),
    "a deep header": archive(positions=header("(" * 900)),
    "a header of objects": archive(positions=header("(1,)", "|O")),
    "another format version": archive(positions=b"\x93NUMPY\x09\x00" + bytes(100)),
    "deep JSON": archive(meta=npy(np.array("[" * 100_000))),
    "JSON of another kind": archive(meta=npy(np.array("[1]"))),
    "a newer version": archive(meta=meta(version=2)),
    "no frame rate": archive(meta=meta(fps=None)),
    "another skeleton": archive(positions=npy(np.zeros((4, 16, 3)))),
    "no numbers": archive(positions=npy(np.full((4, 22, 3), np.nan))),
    "words": archive(positions=npy(np.full((4, 22, 3), "x"))),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_damaged_and_hostile_clips_are_a_sentence(data: bytes) -> None:
    with pytest.raises(UserError, match=r"^walk\.npz is (not|a damaged|a motion clip of another)"):
        Motion.from_bytes(data, "walk.npz")


def test_every_flipped_byte_is_noticed_or_harmless() -> None:
    whole = clip(1).to_bytes()
    for index in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[index] ^= 0xFF
        try:
            Motion.from_bytes(bytes(damaged))
        except UserError:
            continue


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked() -> None:
    data = archive(positions=npy(np.zeros(2**20, np.uint8)))
    assert len(data) < 100_000
    assert read_npz(data, most=2**21)["positions"].nbytes == 2**20
    with pytest.raises(ValueError, match="unpacks to more than 1 MiB"):
        read_npz(data, most=2**20)
