# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands at targets."""

from __future__ import annotations

import numpy as np
import pytest
from tests.blender_addon.support.rigs import A_POSE, Z_UP, body, play
from tests.support.actor import perform

from videomdm.motion import rotations
from videomdm_blender.retarget import HandTarget, Options, retarget

IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize(("axes", "unit", "twist"), [(Z_UP, 1.0, False), (IDENTITY, 100.0, True)])
def test_a_hand_stays_at_its_target(axes: np.ndarray, unit: float, twist: bool) -> None:
    motion = perform(turns=0.0).motion
    rest, mapping = body(A_POSE, axes=axes, unit=unit, twist=twist)
    hand, shoulder = mapping.first("left_hand"), mapping.first("left_upper_arm")
    plain = retarget(motion, rest, mapping)
    heads, turns = play(rest, plain)
    frames = slice(24, 37)
    place = heads[hand][30] + 0.35 * (heads[shoulder][30] - heads[hand][30])
    target = HandTarget("left", start=24 / 20, end=36 / 20, place=tuple(place.tolist()), fade=0.3)
    held_heads, held_turns = play(rest, retarget(motion, rest, mapping, Options(hands=(target,))))
    assert np.linalg.norm(held_heads[hand][frames] - place, axis=-1).max() < 0.01 * unit
    assert np.degrees(rotations.angle_between(held_turns[hand], turns[hand])).max() < 1e-3
    away = np.r_[0:18, 43:80]
    np.testing.assert_allclose(held_heads[hand][away], heads[hand][away], atol=1e-6 * unit)
    np.testing.assert_allclose(held_heads[mapping.first("right_hand")], heads[mapping.first("right_hand")])
    steps = np.linalg.norm(np.diff(held_heads[hand], axis=0), axis=-1)
    assert steps.max() < 4 * np.linalg.norm(np.diff(heads[hand], axis=0), axis=-1).max()


def test_a_hand_is_kept_where_it_is() -> None:
    motion = perform(turns=0.0).motion
    rest, mapping = body(A_POSE)
    hand = mapping.first("right_hand")
    heads, _ = play(rest, retarget(motion, rest, mapping))
    target = HandTarget("right", start=2.0, end=2.2)
    held, _ = play(rest, retarget(motion, rest, mapping, Options(hands=(target,))))
    np.testing.assert_allclose(held[hand][40:45], np.tile(heads[hand][40], (5, 1)), atol=0.005)


def test_out_of_reach_the_arm_points_to_the_target() -> None:
    motion = perform(turns=0.0).motion
    rest, mapping = body(A_POSE)
    target = HandTarget("left", start=1.0, end=2.0, place=(0.0, 0.0, 30.0))
    heads, _ = play(rest, retarget(motion, rest, mapping, Options(hands=(target,))))
    shoulder, elbow, wrist = (
        heads[mapping.first(f"left_{part}")] for part in ("upper_arm", "forearm", "hand")
    )
    arm = wrist - shoulder
    assert (arm[25:40, 2] / np.linalg.norm(arm[25:40], axis=-1)).min() > 0.99
    length = np.linalg.norm(elbow - shoulder, axis=-1) + np.linalg.norm(wrist - elbow, axis=-1)
    np.testing.assert_allclose(length, length[0])
