# SPDX-License-Identifier: GPL-3.0-or-later
"""Loops: the end is the beginning, in pose and in speed; travel and turning go on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.blender_addon.support.rigs import A_POSE, body
from tests.support.actor import joint, perform

from videomdm.errors import UserError
from videomdm.motion import Motion, rotations
from videomdm.motion.representation import facing_direction
from videomdm.motion.resample import resample
from videomdm.motion.skeleton import PARENTS
from videomdm_blender.edit.loop import best_cycle, best_stretch, looped
from videomdm_blender.edit.make import make_take
from videomdm_blender.edit.seam import closed, slope_at_end, slope_at_start
from videomdm_blender.edit.settings import TakeSettings

STRAIGHT = resample(perform(2.3, turns=0.0).motion, 24.0)
CURVED = resample(perform(2.3, turns=0.08).motion, 24.0)
TURNING = resample(perform(2.0, turns=0.25).motion, 24.0)


def pose(motion: Motion) -> np.ndarray:
    """(T, 22, 3) joints from the root's place on the floor, facing +Z."""
    positions = motion.positions.astype(float)
    yaw = rotations.yaw_facing(facing_direction(positions))
    relative = positions - positions[:, :1] * (1.0, 0.0, 1.0)
    turn = np.broadcast_to(rotations.about_y(-yaw)[:, None], (*relative.shape[:2], 4))
    return rotations.rotate(turn, relative)


def lengths(motion: Motion) -> np.ndarray:
    return np.linalg.norm(motion.positions[:, 1:] - motion.positions[:, list(PARENTS[1:])], axis=-1)


@pytest.mark.parametrize("motion", [STRAIGHT, CURVED, TURNING])
def test_the_end_is_the_beginning(motion: Motion) -> None:
    cycle = looped(motion, 0.4)
    assert len(cycle.motion) == len(motion)
    np.testing.assert_allclose(pose(cycle.motion)[-1], pose(cycle.motion)[0], atol=1e-5)
    np.testing.assert_allclose(lengths(cycle.motion), lengths(motion), atol=1e-3)
    middle = slice(8, -8)
    np.testing.assert_allclose(pose(cycle.motion)[middle], pose(motion)[middle], atol=1e-5)
    # Played on, the seam is not faster than the rest, in place and in speed.
    played = cycle.extended(10).positions.astype(float)
    step = np.linalg.norm(np.diff(played, axis=0), axis=-1).max(axis=1)
    jerk = np.linalg.norm(np.diff(played, 2, axis=0), axis=-1).max(axis=1)
    seam = [10, 10 + len(motion) - 1]
    for frame in seam:
        assert step[frame - 1 : frame + 1].max() < 1.3 * np.percentile(step, 90)
        assert jerk[frame - 1] < 1.5 * np.percentile(jerk, 90)


def test_a_little_turning_is_taken_out_and_a_real_turn_stays() -> None:
    assert looped(CURVED).turn == 0.0
    travel = looped(CURVED).travel
    assert np.linalg.norm(travel) == pytest.approx(
        np.linalg.norm(joint(CURVED, "pelvis")[-1] - joint(CURVED, "pelvis")[0]), rel=0.05
    )
    assert np.degrees(looped(TURNING).turn) == pytest.approx(90.0, abs=10.0)
    around = resample(perform(2.0, turns=0.97).motion, 24.0)
    assert looped(around).turn == pytest.approx(2.0 * np.pi)


def test_what_hardly_drifts_stays_on_the_spot() -> None:
    drifting = STRAIGHT.positions.copy()
    drifting[..., [0, 2]] -= drifting[:, :1, [0, 2]]
    drifting[..., 0] += np.linspace(0.0, 0.1, len(drifting))[:, None]
    np.testing.assert_allclose(looped(replace(STRAIGHT, positions=drifting)).travel, 0.0, atol=0.02)


def test_the_best_stretch_of_a_walk_is_whole_strides() -> None:
    stretch = best_stretch(STRAIGHT)
    stride = 24.0 / 1.1  # the actor's
    strides = (stretch.stop - 1 - stretch.start) / stride
    assert strides > 0.9 and abs(strides - round(strides)) < 0.1


def test_the_best_stretch_begins_where_the_clip_does() -> None:
    """Two seconds on the spot, then a walk the other way: the loop walks ahead from the clip's beginning."""
    still = np.tile(STRAIGHT.positions[:1], (4, 1, 1))
    gone = STRAIGHT.positions * (-1.0, 1.0, -1.0) + (1.0, 0.0, -2.0)
    motion = replace(STRAIGHT, positions=np.concatenate([still, gone]), contacts=None)
    cycle = best_cycle(motion)
    assert len(cycle) < len(gone)
    np.testing.assert_allclose(joint(cycle, "pelvis")[0, [0, 2]], still[0, 0, [0, 2]], atol=1e-6)
    step = joint(cycle, "pelvis")[-1] - joint(cycle, "pelvis")[0]
    assert step[2] > 0.9 and abs(step[0]) < 0.1


def test_a_clip_too_short_is_refused() -> None:
    with pytest.raises(UserError, match="too short to loop"):
        looped(perform(0.15).motion)


@pytest.mark.parametrize("root", ["hips", "in-place"])
def test_a_take_closes_exactly(root: str) -> None:
    rest, mapping = body(A_POSE)
    made = make_take(
        perform(2.3, turns=0.0).motion, rest, mapping, 24.0, TakeSettings(loop="whole", root=root)
    )
    take = made.take
    np.testing.assert_array_equal(np.abs(take.rotations[0]), np.abs(take.rotations[-1]))
    if root == "in-place":
        np.testing.assert_array_equal(take.location[0], take.location[-1])
    # The poses beside the seam fit together as those elsewhere do.
    around = np.concatenate([take.rotations[-3:-1], take.rotations[:3]])
    turn = rotations.angle_between(around[1:], around[:-1]).max(axis=1)
    usual = rotations.angle_between(take.rotations[1:], take.rotations[:-1]).max(axis=1)
    assert turn.max() < 1.3 * usual.max()
    bend = np.abs(np.diff(turn))
    assert bend.max() < 1.5 * np.abs(np.diff(usual)).max()


def test_a_curve_is_closed_with_its_slope() -> None:
    time = np.linspace(0.0, 1.0, 41)[:, None]
    values = np.concatenate([np.sin(5.0 * time), time**2], axis=1)
    result = closed(values, 8)
    np.testing.assert_array_equal(result[0], result[-1])
    np.testing.assert_allclose(slope_at_start(result), slope_at_end(result), atol=0.02)
    np.testing.assert_array_equal(result[9:-9], values[9:-9])
    untouched = closed(np.sin(2.0 * np.pi * time), 8)
    np.testing.assert_allclose(untouched, np.sin(2.0 * np.pi * time), atol=2e-3)
