# SPDX-License-Identifier: Apache-2.0
"""Folders of keypoint files: one bad file does not cost the others."""

from __future__ import annotations

import numpy as np
import pytest

from videomdm.keypoints import Keypoints
from videomdm.keypoints.layout import COUNT
from videomdm_training.datasets.footage import read_footage
from videomdm_training.datasets.left_out import LeftOut


@pytest.mark.parametrize(
    ("ending", "content", "reason"),
    [
        ("txt", b"\xff\xfe", "cannot be read"),
        ("txt", b" \n", "no caption"),
        ("json", b"{", "b.json"),
        ("json", b"\xff\xfe", "b.json"),
    ],
)
def test_a_bad_file_is_named_and_left_out(tmp_path, ending, content, reason):
    for name in "ab":
        Keypoints(np.full((30, COUNT, 2), 9.0), np.ones((30, COUNT)), 30, 64, 48).save(
            tmp_path / f"{name}.json"
        )
        (tmp_path / f"{name}.txt").write_text("somebody walks\n")
    (tmp_path / f"b.{ending}").write_bytes(content)
    left_out = LeftOut()
    assert [clip.name for clip in read_footage(tmp_path, left_out)] == ["a"]
    assert list(left_out) == [str(tmp_path / "b.json")] and reason in left_out[str(tmp_path / "b.json")]
