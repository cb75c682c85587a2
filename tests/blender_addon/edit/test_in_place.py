# SPDX-License-Identifier: GPL-3.0-or-later
"""Root motion: the way is smooth, starts at home, and together with the rest gives the body back."""

from __future__ import annotations

import numpy as np
import pytest
from tests.blender_addon.support.rigs import A_POSE, T_POSE, Z_UP, body, into_motion_axes, play
from tests.support.actor import perform

from videomdm.motion import rotations
from videomdm_blender.edit.in_place import armature_keys
from videomdm_blender.edit.make import make_take
from videomdm_blender.edit.settings import TakeSettings
from videomdm_blender.retarget.stance import Stance

MOTION = perform(3.0, turns=0.5).motion


@pytest.mark.parametrize("heading", [True, False])
def test_way_and_rest_give_the_body_back(heading: bool) -> None:
    rest, mapping = body(A_POSE, twist=True)
    whole, _ = play(rest, make_take(MOTION, rest, mapping, 24.0, TakeSettings()).take)
    made = make_take(MOTION, rest, mapping, 24.0, TakeSettings(root="object", heading=heading))
    assert made.way is not None
    left, _ = play(rest, made.take)
    turn, shift = armature_keys(Stance(rest, mapping), made.way)
    for bone, places in whole.items():
        np.testing.assert_allclose(rotations.rotate(turn, left[bone]) + shift, places, atol=1e-9)
    assert np.ptp(made.way.yaw) == (pytest.approx(np.pi, abs=0.1) if heading else 0.0)


def test_the_way_is_level_and_smooth_and_starts_at_home() -> None:
    rest, mapping = body(T_POSE)
    way = make_take(MOTION, rest, mapping, 60.0, TakeSettings(root="bone")).way
    assert way is not None
    np.testing.assert_array_equal(way.shift[:, 1], 0.0)
    np.testing.assert_allclose(way.shift[0], 0.0, atol=1e-12)
    assert way.yaw[0] == 0.0
    speed = np.linalg.norm(np.diff(way.shift, axis=0), axis=-1) * 60.0
    assert np.abs(np.diff(speed)).max() < 0.1  # metres a second from frame to frame


def test_in_place_keeps_sway_height_and_turning() -> None:
    rest, mapping = body(T_POSE)
    whole = make_take(MOTION, rest, mapping, 24.0, TakeSettings())
    made = make_take(MOTION, rest, mapping, 24.0, TakeSettings(root="in-place"))
    assert made.way is None
    places, turns = play(rest, made.take)
    true_places, true_turns = play(rest, whole.take)
    hips = mapping.first("hips")
    place, true = (into_motion_axes(p[hips], Z_UP) for p in (places, true_places))
    np.testing.assert_allclose(place[:, 1], true[:, 1], atol=1e-9)
    assert np.abs(place[:, [0, 2]]).max() < 0.1 < np.abs(true[:, [0, 2]]).max()
    np.testing.assert_allclose(np.abs(np.sum(turns[hips] * true_turns[hips], axis=-1)), 1.0, atol=1e-9)
