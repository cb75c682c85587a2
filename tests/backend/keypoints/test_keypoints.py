# SPDX-License-Identifier: Apache-2.0
"""The keypoints of one person and their file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.support.figure import walking_keypoints

from videomdm.errors import UserError
from videomdm.keypoints import Keypoints


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    original = walking_keypoints(7).noted(detector="figure", notes=["one"])
    path = original.save(tmp_path / "deep" / "kp.json")
    loaded = Keypoints.load(path)
    np.testing.assert_allclose(loaded.points, original.points, atol=0.0051)
    np.testing.assert_allclose(loaded.confidence, original.confidence, atol=0.00051)
    assert (loaded.fps, loaded.width, loaded.height, loaded.source) == (30.0, 1280, 720, "figure")
    assert loaded.provenance == original.provenance
    assert [entry.name for entry in path.parent.iterdir()] == ["kp.json"]
    assert Keypoints.from_bytes(loaded.to_bytes()).to_bytes() == loaded.to_bytes()


def changed(**fields: object) -> bytes:
    """A keypoints file with some fields replaced."""
    content = json.loads(walking_keypoints(3).to_bytes())
    return json.dumps({**content, **fields}).encode()


POINTS = json.loads(walking_keypoints(3).to_bytes())["points"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        walking_keypoints(3).to_bytes()[:-100],
        changed(format="something else"),
        changed(version=99),
        changed(layout="coco-17"),
        changed(points=POINTS[:2]),
        changed(points=[frame[:5] for frame in POINTS]),
        changed(points=[]),
        changed(points=[[[1.0, 2.0, 3.0]] * 27] * 3),
        changed(points=[[[1.0, "x"]] * 27] * 3),
        changed(confidence=[[1.5] * 27] * 3),
        changed(confidence=[[float("nan")] * 27] * 3),
        changed(confidence=None),
        changed(fps=0),
        changed(width=-5),
        changed(width="wide"),
        changed(width=10**400),
        changed(provenance={}).replace(b"{}", b'{"a":' * 50_000),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"broken\.json"):
        Keypoints.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json cannot be read"):
        Keypoints.load(tmp_path / "none.json")


def test_wrong_arrays_are_refused() -> None:
    good = walking_keypoints(4)
    with pytest.raises(ValueError, match=r"\(T, 27, 2\)"):
        Keypoints(good.points[:, :5], good.confidence, 30, 10, 10)
    with pytest.raises(ValueError, match="confidence must be"):
        Keypoints(good.points, good.confidence[:2], 30, 10, 10)
    with pytest.raises(ValueError, match="NaN"):
        Keypoints(good.points * np.nan, good.confidence, 30, 10, 10)


def test_points_not_seen_lie_at_the_origin() -> None:
    good = walking_keypoints(4)
    confidence = good.confidence.copy()
    confidence[1, 3] = 0
    assert (Keypoints(good.points, confidence, 30, 10, 10).points[1, 3] == 0).all()
    assert (good.points[1, 3] != 0).all()


def test_trimming_keeps_the_frames_between_the_first_and_last_sight() -> None:
    good = walking_keypoints(30)
    confidence = good.confidence.copy()
    confidence[:6], confidence[12], confidence[24:] = 0, 0, 0
    trimmed = Keypoints(good.points, confidence, 30.0, 1280, 720).trimmed()
    assert len(trimmed) == 18
    assert trimmed.provenance["start"] == pytest.approx(0.2)
    assert trimmed.coverage == pytest.approx(17 / 18)
    np.testing.assert_array_equal(trimmed.points[0], good.points[6])
    with pytest.raises(UserError, match="No person"):
        Keypoints(good.points, 0 * confidence, 30.0, 1280, 720).trimmed()


@pytest.mark.parametrize("rate", [20.0, 25.0, 60.0, 24000 / 1001])
def test_resampling_keeps_the_motion(rate: float) -> None:
    dense = walking_keypoints(61, fps=30.0)
    resampled = dense.resampled(rate)
    assert resampled.fps == rate
    assert len(resampled) == int(2.0 * rate + 1e-6) + 1
    truth = walking_keypoints(241, fps=120.0)
    for index in range(len(resampled)):
        at = round(index / rate * 120)
        assert np.abs(resampled.points[index] - truth.points[at]).max() < 5.0
    same = dense.resampled(30.0)
    np.testing.assert_array_equal(same.points, dense.points)


@pytest.mark.parametrize("start", ["soon", [1], None, 10**400])
def test_a_start_that_is_no_time_counts_as_none(start: object) -> None:
    odd = walking_keypoints(5).noted(start=start)
    assert odd.part(3, 5).provenance["start"] == round(3 / odd.fps, 6)


def test_resampling_does_not_invent_what_was_not_seen() -> None:
    good = walking_keypoints(30)
    confidence = good.confidence.copy()
    confidence[10, 0] = 0
    resampled = Keypoints(good.points, confidence, 30.0, 1280, 720).resampled(20.0)
    assert (resampled.confidence[6, 0], resampled.confidence[7, 0]) == (pytest.approx(0.9), 0)
    doubled = Keypoints(good.points, confidence, 30.0, 1280, 720).resampled(60.0)
    assert (doubled.confidence[19:22, 0] == 0).all()
    assert doubled.confidence[18, 0] > 0 < doubled.confidence[22, 0]
