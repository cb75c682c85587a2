# SPDX-License-Identifier: GPL-3.0-or-later
"""Two-bone inverse kinematics: reaches, keeps lengths and planes, and never snaps."""

from __future__ import annotations

import numpy as np

from videomdm.motion import rotations
from videomdm_blender.retarget.frames import cross, dot, rotate, unit
from videomdm_blender.retarget.two_bone import reach, softened

X, Y, Z = np.eye(3)


def limbs(count: int, bend: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Upper and lower bones of any direction, bent by about ``bend`` radians, and their hinges."""
    rng = np.random.default_rng(seed)
    upper = unit(rng.normal(size=(count, 3)))
    hinge = unit(cross(upper, rng.normal(size=(count, 3))))
    angle = bend * rng.uniform(0.5, 1.5, count)
    lower = rotate(rotations.from_axis_angle(hinge, angle), upper)
    return 0.4 * upper, 0.45 * lower, hinge


def ends(upper: np.ndarray, lower: np.ndarray, turns: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return rotate(turns[0], upper) + rotate(turns[1], lower)


def test_the_end_comes_to_its_target() -> None:
    upper, lower, hinge = limbs(500, 0.8)
    rng = np.random.default_rng(1)
    target = (upper + lower) * rng.uniform(0.6, 1.05, (500, 1)) + rng.normal(scale=0.05, size=(500, 3))
    target *= np.minimum(1.0, 0.849 / np.linalg.norm(target, axis=-1))[:, None]
    turns = reach(upper, lower, hinge, target)
    assert np.linalg.norm(ends(upper, lower, turns) - target, axis=-1).max() < 1e-9


def test_where_the_end_is_already_nothing_turns() -> None:
    for bend in (0.0, 0.02, 0.8, 2.0):
        upper, lower, hinge = limbs(50, bend)
        for turn in reach(upper, lower, hinge, upper + lower):
            assert rotations.angle_between(turn, np.broadcast_to([1.0, 0, 0, 0], turn.shape)).max() < 1e-6


def test_out_of_reach_the_limb_points_to_the_target() -> None:
    upper, lower, hinge = limbs(50, 0.8)
    target = 3.0 * unit(upper + lower)
    end = ends(upper, lower, reach(upper, lower, hinge, target))
    np.testing.assert_allclose(end, 0.85 * unit(target), atol=1e-9)


def test_a_knee_keeps_bending_the_way_it_bends() -> None:
    """Drawn in from straight, and from a little backwards as noise has it, it bends about its hinge."""
    for bend in (0.0, -0.05):
        upper = np.tile(-0.4 * Y, (40, 1))
        lower = 0.45 * rotate(rotations.from_axis_angle(np.tile(X, (40, 1)), np.full(40, bend)), -Y)
        target = -np.linspace(0.85, 0.5, 40)[:, None] * Y
        turns = reach(upper, lower, np.tile(X, (40, 1)), target)
        flexion = dot(cross(rotate(turns[0], upper), rotate(turns[1], lower)), X)
        assert flexion[5:].min() > 0
        steps = rotations.angle_between(turns[0][1:], turns[0][:-1])
        assert np.degrees(steps[5:]).max() < 5


def test_stretching_out_is_soft() -> None:
    """Reach grows with the distance, never beyond the limb, and its slope never jumps."""
    distance = np.linspace(0.5, 1.5, 2001)
    far = softened(distance, np.ones(2001), np.zeros(2001))
    slope = np.diff(far) / np.diff(distance)
    assert far.max() < 1.0 and slope.min() >= 0
    assert np.abs(np.diff(slope)).max() < 0.05
    np.testing.assert_array_equal(far[distance < 0.98], distance[distance < 0.98])


def test_a_limb_that_is_stretched_out_anyway_stays_so() -> None:
    kept = np.array([0.995])
    assert softened(np.array([0.995]), np.ones(1), kept)[0] == 0.995
