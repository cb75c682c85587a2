# SPDX-License-Identifier: GPL-3.0-or-later
"""The battery's motions are what they say: rigid bones, planted feet that do not move, and known feats."""

from __future__ import annotations

import numpy as np
import pytest

from videomdm.motion import Motion
from videomdm.motion.body import BONE_LENGTHS
from videomdm.motion.representation import facing_direction
from videomdm.motion.skeleton import CONTACT_JOINTS, JOINT_NAMES, PARENTS
from videomdm_blender.certify.battery import BATTERY, GRIPS
from videomdm_blender.certify.tracks import TOE_HEIGHT, Place, Step, poses, stepping, through


@pytest.fixture(scope="module")
def motions() -> dict[str, Motion]:
    return {name: make() for name, make in BATTERY.items()}


def path(motion: Motion, name: str) -> np.ndarray:
    return motion.positions[:, JOINT_NAMES.index(name)].astype(float)


@pytest.mark.parametrize("name", BATTERY)
def test_bodies_are_rigid_and_planted_joints_still(motions: dict[str, Motion], name: str) -> None:
    motion = motions[name]
    assert motion.fps == 20.0 and motion.contacts is not None
    bones = motion.positions.astype(float) - motion.positions[:, np.maximum(PARENTS, 0)]
    np.testing.assert_allclose(
        np.linalg.norm(bones, axis=-1), np.tile(BONE_LENGTHS, (len(motion), 1)), atol=1e-6
    )
    for channel, joint in enumerate(CONTACT_JOINTS):
        planted = motion.contacts[1:, channel] & motion.contacts[:-1, channel]
        steps = np.linalg.norm(np.diff(motion.positions[:, joint], axis=0), axis=-1)
        assert np.all(steps[planted] == 0.0)
    assert motion.positions[..., 1].min() > 0.01
    acceleration = np.diff(motion.positions.astype(float), 2, axis=0) * 20.0**2
    assert np.linalg.norm(acceleration, axis=-1).max() < 150.0


def test_the_turn_is_twice_round(motions: dict[str, Motion]) -> None:
    facing = facing_direction(motions["turn"].positions.astype(float))
    yaw = np.unwrap(np.arctan2(facing[:, 0], facing[:, 2]))
    assert np.degrees(yaw[-1] - yaw[0]) == pytest.approx(720.0, abs=0.1)
    assert np.linalg.norm(path(motions["turn"], "pelvis")[:, [0, 2]], axis=-1).max() < 1e-6


def test_the_feats(motions: dict[str, Motion]) -> None:
    walk, squat, jump, roll = (motions[name] for name in ("walk", "squat", "jump", "roll"))
    assert 2.9 < path(walk, "pelvis")[-1, 2] - path(walk, "pelvis")[0, 2] < 3.2
    assert np.any(path(squat, "left_hip")[:, 1] < path(squat, "left_knee")[:, 1])
    assert jump.contacts is not None and 6 <= np.sum(~jump.contacts.any(axis=1)) <= 9
    flight = path(jump, "pelvis")[~jump.contacts.any(axis=1), 1]
    assert flight.max() == pytest.approx(0.955 + 9.81 / 8 * 0.4**2, abs=0.002)
    assert path(roll, "head")[:, 1].max() < 0.6 and roll.contacts is not None and not roll.contacts.any()
    across = path(roll, "left_shoulder") - path(roll, "right_shoulder")
    turned = np.unwrap(np.arctan2(across[:, 1], across[:, 0]))
    assert abs(np.degrees(turned[-1] - turned[0])) == pytest.approx(360.0, abs=0.5)


def test_arms_go_all_the_way_round(motions: dict[str, Motion]) -> None:
    for side in ("left", "right"):
        arm = path(motions["arms"], f"{side}_wrist") - path(motions["arms"], f"{side}_shoulder")
        angle = np.unwrap(np.arctan2(arm[:, 2], -arm[:, 1]))
        assert np.degrees(angle[-1] - angle[0]) == pytest.approx(360.0, abs=1.0)


def test_hands_hold_where_the_motion_moves_them_little(motions: dict[str, Motion]) -> None:
    """Far enough that holding them is work, near enough that every arm reaches."""
    for name, grips in GRIPS.items():
        for grip in grips:
            wrist = path(motions[name], f"{grip.side}_wrist")[round(20 * grip.start) : round(20 * grip.end)]
            away = np.linalg.norm(wrist - wrist[0], axis=-1).max() + np.linalg.norm(grip.offset or 0.0)
            assert 0.05 < away < 0.3


def test_curves_go_through_their_keys() -> None:
    time = np.linspace(-1.0, 3.0, 4001)
    curve = through(time, [(0.0, 1.0, 0.0), (1.0, 2.0, 3.0), (2.0, 0.0, 0.0)])
    assert curve[[0, 1000, 2000, 3000, 4000]] == pytest.approx([1.0, 1.0, 2.0, 0.0, 0.0])
    assert (curve[2001] - curve[1999]) / 0.002 == pytest.approx(3.0, abs=0.01)
    assert poses(time, [(0.0, (1.0, 0.0)), (1.0, (2.0, 5.0))])[[1000, 2000]] == pytest.approx(
        np.array([(1, 0), (2, 5)])
    )


def test_a_step_lifts_the_heel_first() -> None:
    time = np.arange(0.0, 1.0, 0.05)
    foot = stepping(time, Place(0.1, 0.0), [Step(0.2, 0.4, 0.7, Place(0.1, 0.5))])
    flat, toe = foot.planted.T
    assert np.array_equal(flat, (time < 0.21) | (time > 0.69)) and np.array_equal(
        toe, (time < 0.41) | (time > 0.69)
    )
    assert np.allclose(foot.toe[toe, 1], TOE_HEIGHT) and foot.toe[:, 1].max() > 0.06
    assert foot.ankle[8, 1] > foot.ankle[0, 1] + 0.04
