# SPDX-License-Identifier: GPL-3.0-or-later
"""Where poles go, how lengths are found, and how a family's IK limbs are written down."""

from __future__ import annotations

import numpy as np
import pytest

from videomdm_blender.controls.length import Length, slack
from videomdm_blender.controls.limb import IkLimb
from videomdm_blender.controls.poles import bend_direction, misses, pole_places

FORWARD = np.array([0.0, -1.0, 0.0])


def leg(knee: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T, 3) hip, knee and ankle of a leg of a metre whose knees stand ``knee`` (T,) before the line."""
    hip, ankle = (np.broadcast_to((0.1, 0.0, height), (len(knee), 3)) for height in (0.95, 0.05))
    return hip, hip / 2 + ankle / 2 + knee[:, None] * FORWARD, ankle


def test_poles_lie_where_the_knee_points() -> None:
    joints = leg(np.array([0.1, 0.2, 0.3]))
    direction = bend_direction(*joints, np.broadcast_to((0.0, -1.0, 0.5), (3, 3)))
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


def test_the_pole_follows_the_roll_of_the_bones_a_little() -> None:
    """So that thigh and shin are not turned about themselves, and the knee stays near its place."""
    joints = leg(np.full(3, 0.1))
    angles = np.radians([0.5, 4.0, 60.0])
    rolled = np.cos(angles)[:, None] * FORWARD + np.sin(angles)[:, None] * np.array([1.0, 0.0, 0.0])
    seen = np.degrees(np.arctan2(*bend_direction(*joints, rolled)[:, :2].T * [[1.0], [-1.0]]))
    assert seen[0] == pytest.approx(0.0, abs=1e-6) and seen[1] == pytest.approx(3.0, abs=0.05)
    assert 0.1 * np.radians(seen[2]) < 0.01, "a centimetre beside the place at most"


@pytest.mark.parametrize("wanted", [0.0, 0.002, 0.02, 0.2])
def test_a_chain_that_bends_as_far_is_found_in_a_few_trials(wanted: float) -> None:
    """Whether IK stretches the chain, as it does with straight limbs, or shortens it, as it does with bent ones."""

    def seen(scale: np.ndarray) -> np.ndarray:
        made = scale * (1.0 + wanted) * 0.985 - 1.0
        return np.where(made > 0.003, made, 0.003 * np.exp(180.0 * (made - 0.003)))

    length = Length(np.full(3, wanted))
    for _ in range(6):
        length.correct(seen(length.scale))
    # Of a leg of a metre: how far the knee is out against where it should be.
    out = np.sqrt(seen(length.best) / 2.0) - np.sqrt(wanted / 2.0)
    assert np.abs(out).max() < 0.003


def test_slack_is_what_bending_adds_to_the_way() -> None:
    joints = leg(np.array([0.0, 0.3]))
    np.testing.assert_allclose(slack(*joints), [0.0, np.hypot(0.45, 0.3) / 0.45 - 1.0], atol=1e-12)


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
