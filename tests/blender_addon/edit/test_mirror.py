# SPDX-License-Identifier: GPL-3.0-or-later
"""Left and right change places, in joints, contacts and words; on a rig too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.blender_addon.support.rigs import A_POSE, Z_UP, body, into_motion_axes, play
from tests.support.actor import joint, perform

from videomdm_blender.edit.make import make_take
from videomdm_blender.edit.mirror import mirrored
from videomdm_blender.edit.settings import TakeSettings

MOTION = perform(2.0, turns=0.25).motion


def test_sides_change_places() -> None:
    motion = replace(MOTION, caption="Left hand up, then turn right and CLOCKWISE; alright")
    other = mirrored(motion)
    np.testing.assert_allclose(
        joint(other, "left_wrist"), joint(motion, "right_wrist") * (-1, 1, 1), atol=1e-6
    )
    np.testing.assert_array_equal(other.contacts[:, :2], motion.contacts[:, 2:])
    assert other.caption == "Right hand up, then turn left and COUNTERCLOCKWISE; alright"
    again = mirrored(other)
    np.testing.assert_array_equal(again.positions, motion.positions)
    assert again.caption == motion.caption


def test_a_rig_moves_as_in_a_mirror() -> None:
    rest, mapping = body(A_POSE)
    places = [
        play(rest, make_take(MOTION, rest, mapping, 24.0, TakeSettings(mirror=mirror)).take)[0]
        for mirror in (False, True)
    ]
    for one, other in (("left", "right"), ("right", "left")):
        for slot in ("hand", "foot", "toe", "forearm", "shin"):
            true, seen = (
                into_motion_axes(place[mapping.first(f"{side}_{slot}")], Z_UP)
                for place, side in zip(places, (one, other), strict=True)
            )
            np.testing.assert_allclose(seen, true * (-1, 1, 1), atol=2e-3)
