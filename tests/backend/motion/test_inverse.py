# SPDX-License-Identifier: Apache-2.0
"""Rotations from positions: they put the skeleton back, bend hinges as hinges and do not jump."""

from __future__ import annotations

import numpy as np
import pytest

from videomdm.motion import rotations
from videomdm.motion.inverse import LOOSE_JOINTS, joint_rotations
from videomdm.motion.skeleton import JOINT_NAMES, mirror_positions

from .bodies import OFFSETS, dancer, t_pose

HINGES = {f"{side}_{name}": axis for side in ("left", "right") for name, axis in (("knee", 1), ("elbow", 2))}


def turned(positions: np.ndarray, axis: list[float], angle: float) -> np.ndarray:
    turn = rotations.from_axis_angle(np.array(axis), np.array(angle))
    return rotations.rotate(np.broadcast_to(turn, (*positions.shape[:-1], 4)), positions)


@pytest.mark.parametrize("seed", range(4))
def test_forward_kinematics_of_the_result_gives_the_positions_back(seed: int) -> None:
    positions = dancer(60, seed=seed)
    solved = joint_rotations(positions)
    assert np.linalg.norm(solved.positions() - positions, axis=-1).max() < 1e-6
    np.testing.assert_allclose(solved.skeleton.lengths[1:], np.linalg.norm(OFFSETS[1:], axis=-1), atol=1e-9)
    rigid = [joint for joint in range(1, 22) if joint not in LOOSE_JOINTS]
    np.testing.assert_allclose(
        solved.translations[:, rigid], np.broadcast_to(solved.skeleton.offsets[rigid], (60, len(rigid), 3))
    )


def test_a_rigid_body_needs_no_loose_joints() -> None:
    solved = joint_rotations(dancer(60))
    for joint in LOOSE_JOINTS:
        np.testing.assert_allclose(solved.translations[:, joint], OFFSETS[[joint]].repeat(60, 0), atol=1e-6)


def test_the_t_pose_is_the_rest_pose() -> None:
    solved = joint_rotations(t_pose())
    assert rotations.angle_between(solved.world, np.array([1.0, 0, 0, 0]) + 0 * solved.world).max() < 1e-6


@pytest.mark.parametrize("name", HINGES)
def test_knees_and_elbows_turn_about_one_axis(name: str) -> None:
    local = joint_rotations(dancer(60)).local[:, JOINT_NAMES.index(name)]
    others = [part for part in (1, 2, 3) if part != HINGES[name]]
    # a fully stretched limb may borrow its plane from the frames around it
    assert np.median(np.abs(local[:, others])) < 0.01
    assert np.abs(local[:, others]).max() < 0.12


def test_knees_bend_backwards_and_elbows_forwards() -> None:
    local = joint_rotations(dancer(60)).local
    for name, sign in (("left_knee", 1), ("right_knee", 1), ("left_elbow", -1), ("right_elbow", 1)):
        bend = local[:, JOINT_NAMES.index(name), HINGES[name]] * local[:, JOINT_NAMES.index(name), 0]
        assert (sign * bend).min() > -1e-3


def test_a_turned_body_has_the_same_local_rotations() -> None:
    positions = dancer(40)
    plain, other = joint_rotations(positions), joint_rotations(turned(positions, [0.6, 0.0, 0.8], 2.0))
    assert rotations.angle_between(plain.local[:, 1:], other.local[:, 1:]).max() < 1e-5


def test_a_mirrored_body_has_mirrored_rotations() -> None:
    positions = dancer(40)
    mirrored = joint_rotations(mirror_positions(positions)).world
    expected = joint_rotations(positions).world[:, [JOINT_NAMES.index(_other(name)) for name in JOINT_NAMES]]
    assert rotations.angle_between(mirrored, expected * np.array([1.0, 1.0, -1.0, -1.0])).max() < 1e-5


def _other(name: str) -> str:
    side, _, rest = name.partition("_")
    return f"{ {'left': 'right', 'right': 'left'}[side] }_{rest}" if rest else name


def test_a_straight_trembling_limb_does_not_spin() -> None:
    positions = t_pose(60)
    positions += np.random.default_rng(0).normal(scale=1e-3, size=positions.shape)
    local = joint_rotations(positions).local
    limbs = [
        JOINT_NAMES.index(f"{side}_{name}") for side in ("left", "right") for name in ("hip", "shoulder")
    ]
    steps = rotations.angle_between(local[1:, limbs], local[:-1, limbs])
    assert np.degrees(steps).max() < 5.0


def test_the_foot_tells_where_a_straight_leg_points() -> None:
    positions = t_pose(10)
    foot, ankle = JOINT_NAMES.index("left_foot"), JOINT_NAMES.index("left_ankle")
    positions[:, foot] = positions[:, ankle] + turned(
        positions[:, foot] - positions[:, ankle], [0, 1, 0], 0.5
    )
    hip = joint_rotations(positions).local[:, JOINT_NAMES.index("left_hip")]
    np.testing.assert_allclose(2 * np.arctan2(hip[:, 2], hip[:, 0]), 0.5, atol=0.02)


def test_one_frame_and_collapsed_bodies_give_finite_rotations() -> None:
    assert joint_rotations(dancer(1)).local.shape == (1, 22, 4)
    collapsed = joint_rotations(np.zeros((2, 22, 3)))
    assert np.isfinite(collapsed.local).all()
    np.testing.assert_allclose(collapsed.positions(), 0.0, atol=1e-12)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="22"):
        joint_rotations(np.zeros((4, 21, 3)))
