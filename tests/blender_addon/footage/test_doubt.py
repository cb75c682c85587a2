# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frames of keypoints deserve a look.  The first tests need no scene."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from videomdm.keypoints import Keypoints
from videomdm.keypoints.layout import COUNT, INDEX

pytest.importorskip("bpy", reason="no Blender (bpy) in this environment")

FRAMES = 40
WRIST, ANKLE, OTHER = INDEX["left_wrist"], INDEX["left_ankle"], INDEX["right_ankle"]


@pytest.fixture
def steady() -> Keypoints:
    """Somebody 300 pixels high who glides to the right, quite sure, with one unsure wrist and one swap of ankles."""
    points = np.random.default_rng(2).uniform(100.0, 400.0, (1, COUNT, 2)).repeat(FRAMES, axis=0)
    points[:, 0, 1], points[:, 1, 1] = 100.0, 400.0
    points[..., 0] += 2.0 * np.arange(FRAMES)[:, None]
    points[:, OTHER] = points[:, ANKLE] + (80.0, 0.0)
    points[25, [ANKLE, OTHER]] = points[25, [OTHER, ANKLE]]
    confidence = np.full((FRAMES, COUNT), 0.95)
    confidence[9:12, WRIST] = 0.5, 0.2, 0.4
    return Keypoints(points, confidence, 25.0, 640, 480)


def doubtful(keypoints: Keypoints) -> list[tuple[int, int]]:
    from videomdm_blender.footage.doubt import doubtful as find

    return [(doubt.frame, doubt.point) for doubt in find(keypoints)]


def test_the_unsure_point_and_the_leap_are_found(steady: Keypoints) -> None:
    found = doubtful(steady)
    assert [frame for frame, _ in found] == [10, 25]
    assert found[0][1] == WRIST and found[1][1] in (ANKLE, OTHER)


def test_what_was_repaired_is_in_doubt_no_more(steady: Keypoints) -> None:
    points, confidence = steady.points.copy(), steady.confidence.copy()
    points[25, [ANKLE, OTHER]] = points[25, [OTHER, ANKLE]]
    confidence[9:12, WRIST] = 0.0
    assert all(
        frame not in (10, 25) for frame, _ in doubtful(replace(steady, points=points, confidence=confidence))
    )
    sure = Keypoints(np.ones((1, COUNT, 2)), np.ones((1, COUNT)), 25.0, 640, 480)
    assert doubtful(sure) == []


def test_the_button_goes_from_one_to_the_next(bpy: Any, character: Any, steady: Keypoints) -> None:
    from videomdm_blender.footage.build import build
    from videomdm_blender.footage.present import enter
    from videomdm_blender.footage.shown import selected_points

    armature = build(steady, "hall", None)
    enter(bpy.context.window, armature)
    seen = []
    for _ in range(3):
        assert bpy.ops.videomdm.next_doubtful() == {"FINISHED"}
        seen.append(bpy.context.scene.frame_current)
        assert selected_points(armature) and armature.data.bones.active is not None
    assert seen == [11, 26, 11]
    assert selected_points(armature) == [WRIST]
