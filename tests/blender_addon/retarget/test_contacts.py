# SPDX-License-Identifier: GPL-3.0-or-later
"""When feet are seen to stand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.blender_addon.support.walker import walk

from videomdm.motion import Motion, rotations
from videomdm.motion.representation import foot_contacts
from videomdm_blender.retarget.contacts import Contacts, find_contacts
from videomdm_blender.retarget.feet import standing
from videomdm_blender.retarget.frames import rotate


def contacts_of(motion: Motion) -> Contacts:
    assert motion.contacts is not None
    return find_contacts(motion.positions.astype(float), motion.contacts, standing(motion), motion.fps)


@pytest.mark.parametrize("fps", [20.0, 30.0, 60.0])
@pytest.mark.parametrize(("slide", "tremble"), [(0.0, 0.0), (0.3, 0.0), (0.2, 0.004)])
def test_feet_stand_when_they_do(fps: float, slide: float, tremble: float) -> None:
    """Also from HumanML3D's own contacts, which count any foot slower than 0.9 m/s."""
    truth = walk(fps=fps, slide=slide, tremble=tremble)
    loose = replace(truth.motion, contacts=foot_contacts(truth.motion.positions, fps))
    for motion in (truth.motion, loose):
        found = contacts_of(motion).standing
        assert (found & ~truth.stands).mean() < 0.06
        assert (truth.stands & ~found).mean() < 0.1


def test_contacts_that_flicker_are_cleaned() -> None:
    truth = walk()
    flags = truth.motion.contacts.copy()
    flags[7::19] ^= True
    found = contacts_of(replace(truth.motion, contacts=flags))
    assert found.count == contacts_of(truth.motion).count
    assert (found.standing != contacts_of(truth.motion).standing).mean() < 0.02


def test_a_foot_at_the_top_of_a_jump_does_not_stand() -> None:
    still = walk(1.2).motion.positions[:1].astype(float)
    flight = np.clip(np.arange(15) / 14, 0, 1)
    height = np.concatenate([np.zeros(20), 1.6 * flight * (1 - flight), np.zeros(20)])
    positions = np.repeat(still, len(height), axis=0) + height[:, None, None] * np.array([0.0, 1.0, 0.0])
    found = contacts_of(Motion(positions, 30.0, np.ones((len(height), 4), bool)))
    assert not found.standing[:, 24:31].any()
    assert found.standing[:, [5, 50]].any(axis=0).all()


def test_who_stands_on_a_box_stands_above_the_floor() -> None:
    still = walk(1.2).motion.positions[:1].astype(float)
    height = np.concatenate([np.zeros(30), np.linspace(0, 0.4, 15), np.full(40, 0.4)])
    positions = np.repeat(still, len(height), axis=0) + height[:, None, None] * np.array([0.0, 1.0, 0.0])
    found = contacts_of(Motion(positions, 30.0, np.ones((len(height), 4), bool)))
    assert found.standing[:, -10:].any() and not found.floor[:, -10:].any()
    assert found.floor[:, :20].any()


def test_means_are_of_each_stand() -> None:
    found = contacts_of(walk().motion)
    number = np.where(found.standing, found.stands, -1.0)[..., None]
    means, frames = found.means(number, found.standing)
    np.testing.assert_array_equal(means[:, 0], np.arange(found.count))
    assert frames.sum() == found.standing.sum()


def turning(degrees: float) -> Motion:
    """Standing for a second, turning on the spot in the next, feet flat on the floor, and standing again."""
    still = walk(1.2).motion.positions[:1].astype(float)
    still[..., [0, 2]] -= still[:, :1, [0, 2]]
    angle = np.radians(degrees) * np.clip(np.arange(90) / 30 - 1.0, 0.0, 1.0)
    turn = rotations.about_y(angle)[:, None]
    return Motion(rotate(turn, np.repeat(still, 90, axis=0)), 30.0, np.ones((90, 4), bool))


def test_a_foot_that_turns_on_the_spot_does_not_stand() -> None:
    found = contacts_of(turning(45.0)).standing
    assert found[:, 5:20].all() and found[:, 70:85].all()
    assert not found[:, 35:55].any()


def test_a_foot_that_turns_a_little_stands() -> None:
    assert contacts_of(turning(8.0)).standing[:, 5:85].all()
