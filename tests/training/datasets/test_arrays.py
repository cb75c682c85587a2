# SPDX-License-Identifier: Apache-2.0
"""Arrays of other people's files: numbers, or one sentence on what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from videomdm.errors import UserError
from videomdm_training.datasets.arrays import frame_rate, load_array, load_arrays, word

NUMBERS = np.arange(12.0).reshape(3, 4)


def _header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize("kind", [np.float16, np.float64, np.int32, np.uint8])
def test_numbers_come_as_double_precision(tmp_path, kind):
    np.save(tmp_path / "a.npy", NUMBERS.astype(kind))
    array = load_array(tmp_path / "a.npy")
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, NUMBERS)


@pytest.mark.parametrize(
    "values", [np.array(["a"]), NUMBERS.astype(complex), NUMBERS > 3, NUMBERS.astype("datetime64[s]")]
)
def test_what_is_no_number_is_refused(tmp_path, values):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(UserError, match="real numbers"):
        load_array(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"\x80\x04.",
        _header("{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999,)}\n"),
        _header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n"),
        _header("{{{\n"),
        _header("\x00"),
    ],
)
def test_whatever_else_a_file_holds_is_one_kind_of_error(tmp_path, content):
    for name, load in (("a.npy", load_array), ("a.npz", lambda file: load_arrays(file, ("a",)))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match="readable"):
            load(tmp_path / name)


@pytest.mark.parametrize("part", [1.0, 0.5])
def test_archives_and_arrays_are_not_taken_for_each_other(tmp_path, part):
    np.savez(tmp_path / "b.npz", a=NUMBERS)
    np.save(tmp_path / "a.npy", NUMBERS)
    for source, name in (("b.npz", "c.npy"), ("a.npy", "c.npz")):
        data = (tmp_path / source).read_bytes()
        (tmp_path / name).write_bytes(data[: int(part * len(data))])
    with pytest.raises(UserError, match=r"readable \.npy"):
        load_array(tmp_path / "c.npy")
    with pytest.raises(UserError, match=r"readable \.npz"):
        load_arrays(tmp_path / "c.npz", ("a",))


def test_rates_are_one_number(tmp_path):
    assert frame_rate({"mocap_framerate": np.array([60.0])}) == 60 and frame_rate({}, 25) == 25
    assert frame_rate({"fps": np.array(30)}, 25) == 30
    for wrong in ("sixty", [60.0, 60.0], [], 0.5, np.nan, np.inf, 1000, {}):
        with pytest.raises(UserError, match="frame rate"):
            frame_rate({"fps": np.array(wrong)}, 25)
    with pytest.raises(UserError, match="does not say"):
        frame_rate({})


def test_words_are_text_or_bytes():
    assert [word(np.array(text), "") for text in ("male", b"male", ["male"])] == ["male"] * 3
    assert [word(np.array(other), "neutral") for other in (3, ["a", "b"], None)] == ["neutral"] * 3
