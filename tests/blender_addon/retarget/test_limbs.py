# SPDX-License-Identifier: GPL-3.0-or-later
"""The twist of limbs: from the hinge where it is bent, natural where it is straight, smooth in between."""

from __future__ import annotations

import numpy as np
import pytest

from videomdm.motion import rotations
from videomdm_blender.retarget.limbs import ARM, LEG, LimbKind, lower_turn, read_limb, upper_turn

STILL = np.array([1.0, 0.0, 0.0, 0.0])
X, Y, Z = np.eye(3)


def still(frames: int) -> np.ndarray:
    return np.tile(STILL, (frames, 1))


def bent(upper: np.ndarray, hinge: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """(T, 3) the lower bone of a limb that bends about ``hinge``."""
    axis = np.broadcast_to(hinge, (len(degrees), 3))
    turn = rotations.from_axis_angle(rotations.normalise(axis), np.radians(degrees))
    return rotations.rotate(turn, np.broadcast_to(upper, (len(degrees), 3)))


@pytest.mark.parametrize("kind", [ARM, LEG, ARM.mirrored(), LEG.mirrored()])
def test_the_t_pose_bends_about_its_own_axis(kind: LimbKind) -> None:
    degrees = np.array([90.0])
    limb = read_limb(kind, kind.rest[None], bent(kind.rest, kind.hinge, degrees), still(1), 20.0)
    assert abs(np.degrees(limb.twist[0])) < 0.5


def test_elbows_bend_forwards_and_knees_backwards() -> None:
    assert np.allclose(bent(ARM.rest, ARM.hinge, np.array([90.0]))[0], Z)
    assert np.allclose(bent(ARM.mirrored().rest, ARM.mirrored().hinge, np.array([90.0]))[0], Z)
    assert np.allclose(bent(LEG.rest, LEG.hinge, np.array([90.0]))[0], -Z)
    assert np.allclose(bent(LEG.mirrored().rest, LEG.mirrored().hinge, np.array([90.0]))[0], -Z)


@pytest.mark.parametrize("twist", [-100.0, -40.0, 0.0, 70.0, 120.0])
def test_a_bent_arm_shows_its_twist(twist: float) -> None:
    hinge = rotations.rotate(rotations.from_axis_angle(X, np.radians(np.array(twist))), ARM.hinge)
    limb = read_limb(ARM, X[None], bent(X, hinge, np.array([80.0])), still(1), 20.0)
    assert np.degrees(limb.twist[0]) == pytest.approx(twist, abs=1.0)


def test_a_straight_arm_keeps_the_twist_of_the_frames_around() -> None:
    frames = 31
    degrees = np.concatenate([np.full(5, 60.0), np.zeros(21), np.full(5, 60.0)])
    twist = np.radians(np.concatenate([np.full(16, 20.0), np.full(15, 60.0)]))
    hinge = rotations.rotate(
        rotations.from_axis_angle(np.tile(X, (frames, 1)), twist), np.tile(ARM.hinge, (frames, 1))
    )
    limb = read_limb(ARM, np.tile(X, (frames, 1)), bent(X, hinge, degrees), still(frames), 20.0)
    found = np.degrees(limb.twist)
    assert found[0] == pytest.approx(20, abs=2) and found[-1] == pytest.approx(60, abs=2)
    assert np.abs(np.diff(found)).max() < 6


def test_noise_of_a_straight_knee_does_not_turn_it_round() -> None:
    frames = 60
    rng = np.random.default_rng(1)
    upper = np.tile(-Y, (frames, 1))
    lower = rotations.normalise(upper + rng.normal(scale=0.02, size=(frames, 3)))
    toes = np.tile(Z - 0.3 * Y, (frames, 1))
    limb = read_limb(LEG, upper, lower, still(frames), 20.0, toes)
    assert np.degrees(np.abs(limb.twist)).max() < 15


@pytest.mark.parametrize(("kind", "outwards"), [(LEG, 1.0), (LEG.mirrored(), -1.0)])
def test_a_straight_knee_looks_where_the_toes_point(kind: LimbKind, outwards: float) -> None:
    def knee_yaw(toes_yaw: float) -> float:
        yaw = np.radians(toes_yaw) * outwards
        toes = np.array([[np.sin(yaw), -0.3, np.cos(yaw)]])
        limb = read_limb(kind, -Y[None], -Y[None], still(1), 20.0, toes)
        forward = np.cross(limb.hinge()[0], Y)
        return float(np.degrees(np.arctan2(forward[0], forward[2]))) * outwards

    assert knee_yaw(0.0) == pytest.approx(0, abs=0.1)
    assert knee_yaw(12.0) == pytest.approx(0, abs=0.1)
    assert knee_yaw(60.0) > 15
    assert knee_yaw(-40.0) < -15


def test_turns_take_the_rest_pose_to_the_motion() -> None:
    rng = np.random.default_rng(2)
    upper = rotations.normalise(X + 0.4 * rng.normal(size=(20, 3)))
    lower = rotations.normalise(upper + 0.8 * rng.normal(size=(20, 3)))
    limb = read_limb(ARM, upper, lower, still(20), 20.0)
    rest_upper, rest_lower = rotations.normalise(np.array([[1.0, -0.8, 0.1]])), np.array([[0.8, -0.5, 0.33]])
    rest = read_limb(ARM, rest_upper, rest_lower, still(1), 20.0)
    last = upper_turn(limb, rest)
    np.testing.assert_allclose(rotations.rotate(last, np.tile(rest.upper, (20, 1))), upper, atol=1e-9)
    turn = lower_turn(limb, rest)
    np.testing.assert_allclose(rotations.rotate(turn, np.tile(rest.lower, (20, 1))), lower, atol=1e-9)
