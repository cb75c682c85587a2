# SPDX-License-Identifier: Apache-2.0
"""Sets of tensors are found again only under exactly what decided them, and only whole."""

from __future__ import annotations

import os

import pytest

torch = pytest.importorskip("torch")

from videomdm_training import cache as cache_room  # noqa: E402 (after the skip)
from videomdm_training.cache import Cache, digest, key_of  # noqa: E402

KEY, OTHER = "a" * 64, "b" * 64


def a_set(seed: int, rows: int = 10) -> dict:
    generator = torch.Generator().manual_seed(seed)
    return {
        "teacher": torch.randn(rows, 7, generator=generator).half(),
        "lengths": torch.arange(rows),
        "camera": torch.randn(rows, 3, 3, generator=generator).transpose(1, 2),
    }


def test_a_set_comes_back_as_it_went(tmp_path):
    cache, given = Cache(tmp_path / "cache"), a_set(0)
    assert cache.load(KEY) is None
    assert cache.store(KEY, given)
    found = cache.load(KEY)
    assert found is not None and found.keys() == given.keys()
    assert all(torch.equal(found[n], given[n]) and found[n].dtype == given[n].dtype for n in given)
    assert cache.load(OTHER) is None
    assert [path.suffix for path in cache.folder.iterdir()] == [
        ".safetensors"
    ]  # nothing half-written beside it
    cache.remove()
    assert not cache.folder.exists()


@pytest.mark.parametrize("harm", ["cut", "changed", "emptied", "swapped"])
def test_a_damaged_set_is_removed(tmp_path, harm):
    cache = Cache(tmp_path)
    cache.store(KEY, a_set(0))
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    if harm == "changed":
        data[-3] ^= 1
    path.write_bytes({"cut": data[:-5], "changed": data, "emptied": b"", "swapped": data}[harm])
    if harm == "swapped":  # another key's set under this one's name
        os.replace(path, tmp_path / f"{OTHER[:32]}.safetensors")
    assert cache.load(OTHER if harm == "swapped" else KEY) is None
    assert not list(tmp_path.iterdir())


def test_the_folder_stays_within_its_size(tmp_path):
    one = sum(t.nbytes for t in a_set(0, rows=1000).values())
    cache = Cache(tmp_path, most=7 * one // 2)
    for number in range(3):
        cache.store(str(number) * 64, a_set(number, rows=1000))
    for number in range(3):
        os.utime(tmp_path / f"{str(number) * 32}.safetensors", (number, number))
    assert cache.load("0" * 64) is not None  # used, and so the newest
    assert cache.store("3" * 64, a_set(3, rows=1000))
    assert [cache.load(str(number) * 64) is not None for number in range(4)] == [True, False, True, True]
    assert cache.size() <= cache.most
    assert not cache.store("4" * 64, a_set(4, rows=5000))  # larger than everything
    assert cache.load("3" * 64) is not None


def test_what_cannot_be_written_is_not_kept(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    assert not Cache(tmp_path / "file").store(KEY, a_set(0))
    monkeypatch.setattr(cache_room, "SPARE_BYTES", 1 << 60)
    assert not Cache(tmp_path / "full").store(KEY, a_set(0))
    assert not list((tmp_path / "full").iterdir())


def test_files_of_a_process_that_died_are_cleared_away(tmp_path):
    for name, age in (("old.part", 0), ("new.part", None)):
        (tmp_path / name).write_bytes(b"half")
        if age is not None:
            os.utime(tmp_path / name, (age, age))
    Cache(tmp_path).store(KEY, a_set(0))
    assert {path.name for path in tmp_path.iterdir()} == {"new.part", f"{KEY[:32]}.safetensors"}


def test_everything_that_decides_is_in_the_key(tmp_path):
    code = tmp_path / "code.py"
    code.write_text("one")
    keys = {
        key_of(settings, tensors, (code,))
        for settings in ({"seed": 0}, {"seed": 1})
        for tensors in (a_set(0), a_set(1), {}, {"teacher": a_set(0)["teacher"].float()})
    }
    other = tmp_path / "other.py"
    other.write_text("two")
    keys.add(key_of({"seed": 0}, a_set(0), (other,)))
    assert len(keys) == 9
    assert key_of({"seed": 0}, a_set(0), (code,)) in keys
    assert digest({"a": torch.zeros(2, 3)}) != digest({"a": torch.zeros(3, 2)})
