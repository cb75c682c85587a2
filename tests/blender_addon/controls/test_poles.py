# SPDX-License-Identifier: GPL-3.0-or-later
"""Where poles go, how lengths are found, and how a family's IK limbs are written down."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from videomdm_blender.controls.length import Length
from videomdm_blender.controls.limb import IkLimb
from videomdm_blender.controls.poles import bend_direction, misses, pole_places

FORWARD = np.array([0.0, -1.0, 0.0])


def leg(knee: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T, 3) hip, knee and ankle of a leg of a metre whose knees stand ``knee`` (T,) before the line."""
    hip, ankle = (np.broadcast_to((0.1, 0.0, height), (len(knee), 3)) for height in (0.95, 0.05))
    return hip, hip / 2 + ankle / 2 + knee[:, None] * FORWARD, ankle


def test_poles_lie_where_the_knee_points() -> None:
    joints = leg(np.array([0.1, 0.2, 0.3]))
    direction = bend_direction(*joints, np.broadcast_to((1.0, 0.0, 0.0), (3, 3)))
    np.testing.assert_allclose(direction, np.broadcast_to(FORWARD, (3, 3)), atol=1e-9)
    places = pole_places(*joints, direction, 0.7)
    np.testing.assert_allclose(places, np.broadcast_to((0.1, -0.7, 0.5), (3, 3)), atol=1e-9)


def test_a_leg_that_passes_through_straight_keeps_its_pole() -> None:
    """The noise of a straight knee, even a little backwards, does not turn the pole."""
    knee = np.concatenate([np.linspace(0.1, -0.01, 20), np.linspace(-0.01, 0.1, 20)])
    joints = leg(knee)
    direction = bend_direction(*joints, np.broadcast_to(FORWARD, (40, 3)))
    assert (direction @ FORWARD > 0.99).all()


def test_a_knee_beside_its_plane_is_seen() -> None:
    joints = leg(np.array([0.2, 0.0]))
    turned = np.array([np.cos(0.1) * FORWARD + np.sin(0.1) * np.array([1.0, 0.0, 0.0])] * 2)
    seen = misses(*joints, turned)
    assert abs(seen[0]) == pytest.approx(0.1) and seen[1] == 0.0


@pytest.mark.parametrize(
    "left_of",
    [lambda x: 0.985 * x, lambda x: 1.005 * x**0.5, lambda x: 0.99 * x**0.3],
    ids=["", "half", "little"],
)
def test_lengths_are_found_in_a_few_trials(left_of: Callable[[np.ndarray], np.ndarray]) -> None:
    """Whatever share of a change the IK lets through."""
    length = Length(3)
    for _ in range(4):
        length.correct(1.0 / left_of(length.scale))
    np.testing.assert_allclose(left_of(length.scale), 1.0, atol=1e-4)


def test_sides_are_put_in_everywhere() -> None:
    limb = IkLimb(
        upper="thigh",
        lower="shin",
        end="foot",
        target="foot_ik.@",
        pole="knee.@",
        shown=("a.@", "b.@", "c.@"),
        switch=("foot_ik.@", "IK"),
        fk=0.0,
        ik=1.0,
        needed={("knee.@", "on"): 1.0},
        kept=(("knee.@", "parent"),),
        at_rest=("heel.@",),
    ).on("L")
    assert "@" not in str(limb)
    assert limb.needed == {("knee.L", "on"): 1.0} and limb.shown == ("a.L", "b.L", "c.L") and limb.ik == 1.0
