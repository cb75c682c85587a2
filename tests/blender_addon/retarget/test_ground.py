# SPDX-License-Identifier: GPL-3.0-or-later
"""Standing feet come to the floor; jumps, climbs and limbs stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.actor import OFFSETS, perform

from videomdm.motion import Motion
from videomdm.motion.skeleton import JOINT_NAMES, PARENTS
from videomdm_blender.retarget.feet import standing
from videomdm_blender.retarget.ground import grounded
from videomdm_blender.retarget.reference import FLAT_FOOT_ANKLE, FLAT_FOOT_TOE

FEET = [JOINT_NAMES.index(f"{side}_foot") for side in ("left", "right")]


def standing_still(frames: int) -> np.ndarray:
    """(T, 22, 3) a T-pose, feet flat on the floor."""
    pose = np.zeros((22, 3))
    for index, parent in enumerate(PARENTS):
        pose[index] = OFFSETS[index] + (pose[parent] if parent >= 0 else 0.0)
    pose[:, 1] -= pose[FEET, 1].min() - 0.01
    return np.repeat(pose[None], frames, axis=0)


def lifted(height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A still pose moved up and down by ``height`` (T,), before and after."""
    before = standing_still(len(height)) + height[:, None, None] * np.array([0.0, 1.0, 0.0])
    return before, grounded(before, standing(Motion(before, 20.0)), 20.0)


def test_a_body_that_floats_comes_down_and_moves_less() -> None:
    before, after = lifted(0.025 + 0.02 * np.sin(np.arange(80) / 8))
    assert np.ptp(before[:, FEET, 1]) > 0.03
    assert np.ptp(after[:, FEET, 1].min(axis=1)) < 0.01


def test_a_jump_keeps_its_height() -> None:
    flight = np.clip(np.arange(20) - 2, 0, 15) / 15
    height = np.concatenate([np.zeros(20), 1.6 * flight * (1 - flight), np.zeros(20)])
    before, after = lifted(height)
    np.testing.assert_allclose(after[:, 0, 1], before[:, 0, 1], atol=0.02)


def test_who_climbs_stays_up() -> None:
    height = np.concatenate([np.zeros(30), np.linspace(0, 0.4, 20), np.full(30, 0.4)])
    before, after = lifted(height)
    np.testing.assert_allclose(after[55:, 0, 1], before[55:, 0, 1], atol=0.02)


def test_only_the_height_of_the_whole_body_changes() -> None:
    motion = perform(2.0).motion
    before = motion.positions.astype(float)
    change = grounded(before, standing(motion), motion.fps) - before
    np.testing.assert_allclose(change, np.broadcast_to(change[:, :1], change.shape), atol=1e-12)
    assert np.abs(change[..., [0, 2]]).max() == 0


def test_who_lies_is_not_sunk_into_the_floor() -> None:
    """Where no foot stands, the heights of standing feet are the reference body's, not those of the clip."""
    lying = standing_still(40)[..., [2, 0, 1]] + np.array([0.0, 0.4, 0.0])
    flat = standing(Motion(lying, 20.0, np.zeros((40, 4), bool)))
    assert (flat.ankle, flat.toe) == (FLAT_FOOT_ANKLE, FLAT_FOOT_TOE)
    upright = standing(Motion(standing_still(40), 20.0))
    assert upright.toe == pytest.approx(0.01)
