# SPDX-License-Identifier: Apache-2.0
"""Detector layouts and the canonical one."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.figure import walking_keypoints

from videomdm.errors import UserError
from videomdm.keypoints import layout


def in_layout(detector: str) -> np.ndarray:
    """A person in a detector's layout (T, N, 3): x, y, confidence."""
    keypoints = walking_keypoints(5)
    person = np.concatenate([keypoints.points, keypoints.confidence[..., None]], axis=-1)
    names = layout.DETECTORS[detector]
    points = np.zeros((len(person), len(names), 3))
    for index, name in enumerate(names):
        points[:, index] = person[:, layout.INDEX[name]] if name else (1.0, 2.0, 0.5)
    return points


def test_numbers_of_points() -> None:
    counts = {
        "coco-17": 17, "coco-18": 18, "body-25": 25, "body-25b": 25, "halpe-26": 26, "mediapipe-33": 33,
        "coco-wholebody-133": 133, "halpe-136": 136, layout.LAYOUT: 27,
    }  # fmt: skip
    assert {name: len(points) for name, points in layout.DETECTORS.items()} == counts
    for points in layout.DETECTORS.values():
        named = [name for name in points if name]
        assert len(set(named)) == len(named)


def test_sides_change_places_and_back() -> None:
    names = np.array(layout.NAMES)
    swapped = names[list(layout.SWAP)]
    assert swapped[layout.INDEX["left_knee"]] == "right_knee"
    assert swapped[layout.INDEX["nose"]] == "nose"
    assert (swapped[list(layout.SWAP)] == names).all()


@pytest.mark.parametrize("detector", layout.DETECTORS)
def test_every_layout_is_recognised_and_mapped(detector: str) -> None:
    points = in_layout(detector)
    assert layout.guess_detector(points) == detector
    canonical = layout.to_canonical(points, detector)
    keypoints = walking_keypoints(5)
    for index, name in enumerate(layout.NAMES):
        if name in layout.DETECTORS[detector]:
            np.testing.assert_allclose(canonical[:, index, :2], keypoints.points[:, index])
            np.testing.assert_allclose(canonical[:, index, 2], 0.9, atol=1e-6)
        else:
            assert (canonical[:, index] == 0).all()


def test_points_that_openpose_knows_by_number() -> None:
    """Spot checks against the published numbering of BODY_25, COCO-18, BODY_25B, Halpe-26 and BlazePose."""
    expected = {
        "body-25": {1: "shoulder_centre", 4: "right_wrist", 8: "mid_hip", 14: "left_ankle", 19: "left_big_toe",
                    22: "right_big_toe", 24: "right_heel"},
        "coco-18": {2: "right_shoulder", 10: "right_ankle", 13: "left_ankle", 16: "right_ear"},
        "body-25b": {5: "left_shoulder", 17: "neck", 18: "head_top", 21: "left_heel", 22: "right_big_toe"},
        "halpe-26": {17: "head_top", 18: "neck", 19: "mid_hip", 20: "left_big_toe", 25: "right_heel"},
        "mediapipe-33": {7: "left_ear", 16: "right_wrist", 23: "left_hip", 29: "left_heel", 32: "right_big_toe"},
    }  # fmt: skip
    for detector, points in expected.items():
        assert {index: layout.DETECTORS[detector][index] for index in points} == points


def test_missing_and_broken_points_have_no_confidence() -> None:
    points = in_layout("coco-17")
    points[0, 3] = (np.nan, 1.0, 0.9)
    points[1, 4] = (5.0, 5.0, -1.0)
    points[2, 5, 2] = 3.0
    canonical = layout.to_canonical(points, "coco-17")
    assert (canonical[0, 3] == 0).all()
    assert (canonical[1, 4] == 0).all()
    assert canonical[2, 5, 2] == 1.0


def test_an_unknown_number_of_points_is_refused() -> None:
    with pytest.raises(UserError, match="People with 21 keypoints"):
        layout.guess_detector(np.zeros((1, 21, 3)))
