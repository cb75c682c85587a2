# SPDX-License-Identifier: Apache-2.0
"""Rotations against SciPy, and their edges: half turns, gimbal lock, the other hemisphere."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from videomdm.motion import rotations as q

Rotation = pytest.importorskip("scipy.spatial.transform").Rotation


@pytest.fixture
def random() -> tuple[np.ndarray, object]:
    """Unit quaternions (500, 4), w first, and the same rotations in SciPy."""
    rotation = Rotation.random(500, random_state=0)
    return np.roll(rotation.as_quat(), 1, axis=-1), rotation


def same(a: np.ndarray, b: np.ndarray, tolerance: float = 1e-9) -> bool:
    return float(q.angle_between(a, b).max()) < tolerance


def test_against_scipy(random):
    ours, theirs = random
    v = np.random.default_rng(0).normal(size=(500, 3))
    assert np.allclose(q.rotate(ours, v), theirs.apply(v))
    assert np.allclose(q.to_matrix(ours), theirs.as_matrix())
    assert same(q.from_matrix(theirs.as_matrix()), ours, 1e-7)
    other = np.roll((theirs * theirs[::-1]).as_quat(), 1, axis=-1)
    assert same(q.multiply(ours, ours[::-1]), other, 1e-7)
    assert np.allclose(q.to_sixd(ours), np.moveaxis(theirs.as_matrix()[..., :2], -1, -2).reshape(-1, 6))


@pytest.mark.parametrize("order", ["".join(o) for o in itertools.permutations("XYZ")])
def test_euler_angles_against_scipy_and_back(random, order):
    ours, theirs = random
    angles = q.to_euler(ours, order)
    assert np.allclose(angles, theirs.as_euler(order))
    assert same(q.from_euler(angles, order), ours, 1e-7)
    locked = np.array([[0.3, np.pi / 2, 0.5], [0.3, -np.pi / 2, -0.2]])
    turn = q.from_euler(locked, order)
    assert same(q.from_euler(q.to_euler(turn, order), order), turn, 1e-6)


def test_half_turns_have_full_precision_and_stay_finite():
    for axis in np.eye(3):
        turn = q.from_axis_angle(axis, np.array(np.pi))
        assert same(q.from_matrix(q.to_matrix(turn))[None], turn[None], 1e-7)
    u = np.vstack([np.eye(3), -np.eye(3), [[0.6, 0.8, 0]]])
    assert np.allclose(q.rotate(q.between(u, -u), u), -u, atol=1e-6)
    assert np.allclose(q.rotate(q.between(u, u), u), u)


def test_between_takes_one_direction_to_the_other():
    rng = np.random.default_rng(1)
    u, v = rng.normal(size=(2, 200, 3))
    turned = q.rotate(q.between(u, v), u)
    assert np.allclose(q.normalise(turned), q.normalise(v))


def test_slerp_takes_the_shorter_arc_at_constant_speed(random):
    ours, _ = random
    a, b = ours[:250], ours[250:]
    whole = q.angle_between(a, b)
    quarter = q.slerp(a, b, np.full(250, 0.25))
    assert np.allclose(q.angle_between(a, quarter), whole / 4, atol=1e-6)
    assert same(q.slerp(a, -b, np.full(250, 0.25)), quarter, 1e-6)
    assert same(q.slerp(a, a, np.full(250, 0.5)), a, 1e-6)


def test_continuous_quaternions_never_jump_to_the_other_hemisphere():
    angle = np.linspace(0, 6 * np.pi, 400)
    turns = q.about_y(angle)
    flipped = turns * np.where(np.random.default_rng(0).random(400) < 0.5, -1, 1)[:, None]
    smooth = q.continuous(flipped)
    assert (np.sum(smooth[1:] * smooth[:-1], axis=-1) > 0).all()
    assert same(smooth, turns, 1e-7)


def test_a_quarter_turn_about_y_takes_forward_to_the_left():
    assert np.allclose(q.rotate(q.about_y(np.array(np.pi / 2)), np.array([0.0, 0, 1])), [1, 0, 0])
    assert np.isclose(q.yaw_facing(np.array([1.0, 0.5, 0])), np.pi / 2)
