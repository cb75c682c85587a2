# SPDX-License-Identifier: GPL-3.0-or-later
"""Blending: exact at both ends, smooth between, the shorter way round; settings that make no sense are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.blender_addon.support.rigs import A_POSE, body, play
from tests.support.actor import perform

from videomdm.errors import UserError
from videomdm.motion import rotations
from videomdm_blender.edit.blend import Existing, aligned, blended, weights
from videomdm_blender.edit.make import blend_frames, make_take
from videomdm_blender.edit.settings import TakeSettings
from videomdm_blender.retarget.stance import Stance


def test_weights_rise_and_fall_with_level_slopes() -> None:
    share = weights(41, 10, 20)
    assert share[0] == share[-1] == 0.0 and (share[10:21] == 1.0).all()
    assert share[1] < 0.05 and 1.0 - share[9] < 0.05
    assert (weights(5, 0, 0) == 1.0).all()


def test_blends_that_are_too_long_share_the_take() -> None:
    assert blend_frames(TakeSettings(blend_in=3.0, blend_out=1.0), 24.0, 41) == (30, 10)
    assert blend_frames(TakeSettings(blend_in=0.5), 24.0, 41) == (12, 0)


def test_the_take_grows_out_of_what_is_there() -> None:
    rest, mapping = body(A_POSE)
    take = make_take(perform(2.0).motion, rest, mapping, 24.0, TakeSettings()).take
    other = make_take(perform(2.0, turns=0.3).motion, rest, mapping, 24.0, TakeSettings()).take
    count = len(take.location)
    existing = Existing(-other.rotations, other.location)  # the same rotations, the other signs
    result = blended(take, existing, weights(count, 12, 12))
    for frame in (0, -1):
        apart = rotations.angle_between(result.rotations[frame], other.rotations[frame])
        np.testing.assert_allclose(apart, 0.0, atol=1e-7)
        np.testing.assert_array_equal(result.location[frame], other.location[frame])
    same = rotations.angle_between(result.rotations[12:-12], take.rotations[12:-12])
    np.testing.assert_allclose(same, 0.0, atol=1e-7)
    # Never further than from one to the other.
    whole = rotations.angle_between(take.rotations, other.rotations)
    assert (rotations.angle_between(result.rotations, other.rotations) <= whole + 1e-6).all()
    assert np.sum(result.rotations[1:] * result.rotations[:-1], axis=-1).min() > 0


def test_an_aligned_take_starts_where_the_other_stands() -> None:
    rest, mapping = body(A_POSE)
    motion = perform(2.0, turns=0.4).motion
    take = make_take(motion, rest, mapping, 24.0, TakeSettings()).take
    stance = Stance(rest, mapping)
    late = Existing(take.rotations[-1:], take.location[-1:])
    moved = aligned(stance, take, late)
    there, turned = play(rest, replace(take, rotations=late.rotations, location=late.location))
    here, turns = play(rest, moved)
    hips = mapping.first("hips")
    np.testing.assert_allclose(here[hips][0, :2], there[hips][0, :2], atol=1e-6)
    apart = rotations.multiply(turns[hips][0], rotations.conjugate(turned[hips][0]))
    assert abs(2.0 * np.arctan2(apart[3], apart[0])) < np.radians(3.0)
    before, _ = play(rest, take)
    for bone in (hips, mapping.first("left_hand")):  # as it was, only elsewhere
        np.testing.assert_allclose(here[bone][:, 2], before[bone][:, 2], atol=1e-9)
        step = np.linalg.norm(np.diff(here[bone], axis=0), axis=-1)
        np.testing.assert_allclose(step, np.linalg.norm(np.diff(before[bone], axis=0), axis=-1), atol=1e-9)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"root": "feet"}, "root cannot be 'feet'"),
        ({"loop": "yes"}, "loop cannot be 'yes'"),
        ({"blend_in": -1.0}, "blend_in cannot be -1.0"),
        ({"reduce_degrees": float("nan")}, "reduce_degrees cannot be nan"),
        ({"reduce_degrees": 1.0, "reduce_millimetres": 0.0}, "reduce_millimetres cannot be 0.0"),
        ({"reduce_degrees": 1.0, "interpolation": "constant"}, "where poses are held"),
        ({"loop": "whole", "blend_in": 1.0}, "would not close"),
    ],
)
def test_settings_that_make_no_sense_are_refused(chosen: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        TakeSettings(**chosen)
    assert caught.value.advice
