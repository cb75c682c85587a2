# SPDX-License-Identifier: GPL-3.0-or-later
"""What curves say of keypoints: moved, trusted, ignored, bridged.  No Blender."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from videomdm.errors import UserError
from videomdm.keypoints import Keypoints
from videomdm.keypoints.layout import COUNT, INDEX

pytest.importorskip("bpy", reason="no Blender (bpy) in this environment")

FRAMES = 20
NOSE, WRIST = INDEX["nose"], INDEX["left_wrist"]


@pytest.fixture
def loaded() -> Keypoints:
    """Somebody 300 pixels high, half sure; the left wrist is not seen on frames 5 to 9 and from 16 on."""
    points = np.random.default_rng(3).uniform(100.0, 400.0, (FRAMES, COUNT, 2)).astype(np.float32)
    points[:, 0, 1], points[:, 1, 1] = 100.0, 400.0
    confidence = np.full((FRAMES, COUNT), 0.5, np.float32)
    confidence[5:10, WRIST] = confidence[16:, WRIST] = 0.0
    return Keypoints(points, confidence, 25.0, 640, 480, "hall.mp4", {"detector": "x"})


@pytest.fixture
def curves(loaded: Keypoints) -> tuple[Any, Any, Any, Any]:
    """Curves as they are shown: on the points, and somewhere between them in gaps."""
    points = loaded.points.copy()
    points[5:10, WRIST] = points[16:, WRIST] = (200.0, 200.0)
    return points, loaded.confidence.copy(), loaded.confidence > 0, np.ones(COUNT, bool)


def edited(*arguments: Any) -> Keypoints:
    from videomdm_blender.footage.edited import edited as change

    return change(*arguments)


def test_untouched_keypoints_are_those_that_were_loaded(loaded: Keypoints, curves: Any) -> None:
    assert edited(loaded, *curves) is loaded


def test_a_point_that_was_moved_is_sure_and_a_nudge_moves_only(loaded: Keypoints, curves: Any) -> None:
    points, confidence, keyed, drawn = curves
    points[3, NOSE] += (40.0, 0.0)
    points[4, NOSE] += (1.0, 0.0)
    found = edited(loaded, points, confidence, keyed, drawn)
    assert found.confidence[3, NOSE] == 1.0 and found.confidence[4, NOSE] == 0.5
    assert (found.points[3:5, NOSE] == points[3:5, NOSE]).all()
    assert found.provenance == {"detector": "x", "edited_points": 2}
    assert (found.confidence != loaded.confidence).sum() == 1


def test_what_the_animator_says_of_confidence_holds(loaded: Keypoints, curves: Any) -> None:
    points, confidence, keyed, drawn = curves
    points[3, NOSE] += 50.0
    confidence[3, NOSE], confidence[4, NOSE], confidence[6, WRIST], confidence[7, NOSE] = 0.0, 1.7, 1.0, -3.0
    found = edited(loaded, points, confidence, keyed, drawn)
    assert found.confidence[[3, 4, 7], NOSE].tolist() == [0.0, 1.0, 0.0]
    assert found.points[3, NOSE].tolist() == [0.0, 0.0]
    assert found.confidence[6, WRIST] == 1.0 and found.points[6, WRIST].tolist() == [200.0, 200.0]
    assert found.confidence[7, WRIST] == 0.0


def test_a_key_in_a_gap_bridges_it(loaded: Keypoints, curves: Any) -> None:
    points, confidence, keyed, drawn = curves
    keyed[7, WRIST] = True
    keyed[18, WRIST] = True  # after the last detection: nothing is known behind that key
    found = edited(loaded, points, confidence, keyed, drawn)
    assert np.flatnonzero(found.confidence[:, WRIST] == 1.0).tolist() == [5, 6, 7, 8, 9, 16, 17, 18]
    assert found.confidence[19, WRIST] == 0.0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_told_with_its_place(loaded: Keypoints, curves: Any, value: float) -> None:
    points, confidence, keyed, drawn = curves
    points[6, WRIST, 1] = value
    with pytest.raises(UserError, match="left_wrist are no number on frame 7"):
        edited(loaded, points, confidence, keyed, drawn)


def test_ignoring_everything_is_refused(loaded: Keypoints, curves: Any) -> None:
    points, confidence, keyed, drawn = curves
    with pytest.raises(UserError, match="All keypoints are ignored"):
        edited(loaded, points, 0 * confidence, keyed, drawn)


def test_a_point_without_a_curve_was_not_seen(loaded: Keypoints, curves: Any) -> None:
    points, confidence, keyed, drawn = curves
    points[:, NOSE], keyed[:, NOSE], drawn[NOSE] = (9.0, 9.0), False, False
    confidence[2, NOSE] = 1.0  # but there the animator says so
    found = edited(loaded, points, confidence, keyed, drawn)
    assert np.flatnonzero(found.confidence[:, NOSE]).tolist() == [2]
    assert (found.confidence[:, 1:] == loaded.confidence[:, 1:]).all()
