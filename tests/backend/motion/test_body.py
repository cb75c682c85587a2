# SPDX-License-Identifier: Apache-2.0
"""The body of HumanML3D, and takes of other bodies on it: legs, floor, origin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from videomdm.motion.body import BONE_LENGTHS, bend_leg, first_frame_to_origin, floor_height
from videomdm.motion.skeleton import PARENTS

from .bodies import dancer, t_pose


def test_the_body_is_that_of_humanml3d(shared_data: Path) -> None:
    joints = np.load(shared_data / "humanml3d" / "HumanML3D" / "new_joints" / "012314.npy")
    lengths = np.linalg.norm(joints[:, 1:] - joints[:, list(PARENTS[1:])], axis=-1).mean(axis=0)
    np.testing.assert_allclose(BONE_LENGTHS[1:], lengths, atol=0.005)  # theirs is not quite symmetric


def test_a_leg_with_other_lengths_keeps_its_ankle_and_its_plane() -> None:
    angle = np.linspace(0.0, 2.2, 50)
    zero = np.zeros_like(angle)
    knee = np.stack([zero, -0.368 * np.cos(angle / 2), 0.368 * np.sin(angle / 2)], axis=-1)
    ankle = knee + np.stack([zero, -0.454 * np.cos(angle / 2), -0.454 * np.sin(angle / 2)], axis=-1)
    new_knee, new_ankle, scale = bend_leg(knee, ankle, 0.392, 0.429)
    np.testing.assert_allclose(new_ankle, ankle * scale)
    np.testing.assert_allclose(np.linalg.norm(new_knee, axis=-1), 0.392, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(new_ankle - new_knee, axis=-1), 0.429, atol=1e-6)
    assert np.all(new_knee[:, 0] == 0.0)
    assert np.linalg.norm(np.diff(new_knee, axis=0), axis=-1).max() < 0.03  # no pop where it straightens


def test_the_floor_is_under_standing_toes_in_spite_of_jumps_and_spikes() -> None:
    body = t_pose(200)
    body[..., 1] += 0.7
    toe = body[0, 10, 1]
    body[60:80, :, 1] += 0.4  # a jump
    body[100, 10, 1] -= 0.5  # a spike
    assert floor_height(body, 20.0) == pytest.approx(toe, abs=1e-6)


def test_the_floor_is_under_the_lowest_joint_of_someone_whose_feet_are_up() -> None:
    body = t_pose(100)[..., [0, 2, 1]]  # lies on the back
    body[:, [7, 8, 10, 11], 1] += 0.5
    assert floor_height(body, 20.0) == pytest.approx(np.percentile(body[..., 1].min(axis=1), 5))


@pytest.mark.parametrize("frames", [1, 2, 30])
def test_short_takes_have_a_floor_and_an_origin(frames: int) -> None:
    body = first_frame_to_origin(dancer(frames))
    assert np.isfinite(floor_height(body, 20.0))
    np.testing.assert_allclose(body[0, 0, ::2], 0.0, atol=1e-12)
