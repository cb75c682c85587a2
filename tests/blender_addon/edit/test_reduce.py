# SPDX-License-Identifier: GPL-3.0-or-later
"""Key reduction on curves whose keys are known."""

from __future__ import annotations

import numpy as np
import pytest
from tests.blender_addon.support.rigs import A_POSE, body
from tests.support.actor import perform

from videomdm.motion import rotations
from videomdm_blender.edit.curves import as_quaternions, interpolated
from videomdm_blender.edit.make import make_take
from videomdm_blender.edit.posed import Posed
from videomdm_blender.edit.reduce import (
    Rotation,
    Tolerance,
    location_keys,
    location_turns,
    reduced,
    rotation_keys,
    shown_take,
    turning_points,
)
from videomdm_blender.edit.settings import TakeSettings
from videomdm_blender.retarget.channels import channels
from videomdm_blender.retarget.stance import Stance

MODES = ("QUATERNION", "AXIS_ANGLE", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
X = np.array([1.0, 0.0, 0.0])


def about_x(degrees: np.ndarray) -> np.ndarray:
    """(T, 4) turns about X."""
    return rotations.from_axis_angle(np.broadcast_to(X, (len(degrees), 3)), np.radians(degrees))


def test_a_straight_path_keeps_its_ends_and_a_corner_its_key() -> None:
    path = np.zeros((21, 3))
    path[:, 0] = np.minimum(np.arange(21), 12)
    nothing = np.zeros(21, bool)
    assert np.flatnonzero(location_keys(path, nothing, 0.01, "linear")).tolist() == [0, 12, 20]
    assert np.flatnonzero(location_keys(path[:10], nothing[:10], 0.01, "bezier")).tolist() == [0, 9]


def test_turning_points_are_kept_and_trembling_is_not() -> None:
    time = np.arange(60)
    swing = 30.0 * np.sin(2 * np.pi * time / 40.0)
    tremble = 0.1 * (-1.0) ** time
    found = np.flatnonzero(turning_points(about_x(swing + tremble)[None], np.radians(1.0))[0])
    assert len(found) == 3
    np.testing.assert_allclose(found, [10, 30, 50], atol=1)
    path = np.stack([swing, 0.0 * swing, tremble], axis=-1)
    np.testing.assert_allclose(np.flatnonzero(location_turns(path, 1.0)), [10, 30, 50], atol=1)


@pytest.mark.parametrize("interpolation", ["linear", "bezier"])
@pytest.mark.parametrize("mode", MODES)
def test_rotations_stay_within_the_tolerance(mode: str, interpolation: str) -> None:
    """Ten bones that tumble at random, smoothly; one that turns several times; one that stands still."""
    random = np.random.default_rng(3)
    time = np.linspace(0.0, 1.0, 180)[:, None, None]
    waves = sum(random.normal(size=(1, 10, 4)) * np.sin(2 * np.pi * k * time + k) for k in (1, 2, 3))
    q = rotations.continuous(rotations.normalise(waves + np.array([3.0, 0.0, 0.0, 0.0])))
    turning = about_x(np.linspace(0.0, 900.0, 180))[:, None]
    q = np.moveaxis(np.concatenate([q, turning, np.tile(q[:1, :1], (180, 1, 1))], axis=1), 0, 1)
    values = np.stack([channels(one, mode)[1] for one in q])
    kept = rotation_keys(values, q, mode, np.zeros(q.shape[:2], bool), np.radians(1.0), interpolation)
    shown = as_quaternions(interpolated(values, kept, interpolation), mode)
    assert np.degrees(rotations.angle_between(shown, q)).max() <= 1.0
    assert kept[-1].sum() == 2
    assert kept.sum() < 0.6 * kept.size


def test_contacts_and_turning_points_of_a_take_keep_their_keys() -> None:
    rest, mapping = body(A_POSE)
    made = make_take(perform(3.0).motion, rest, mapping, 60.0, TakeSettings())
    take, stance = made.take, Stance(rest, mapping)
    values = {
        bone: Rotation("QUATERNION", take.rotations[:, number]) for number, bone in enumerate(take.bones)
    }
    kept = reduced(stance, take, values, made.contacts, Tolerance(np.radians(1.0), 0.005), "bezier")
    for number, side in enumerate(("left", "right")):
        contacts = made.contacts[:, 2 * number : 2 * number + 2]
        change = np.flatnonzero(np.any(contacts[1:] != contacts[:-1], axis=-1))
        assert len(change) > 4
        for bone in ("thigh", "shin", "foot"):
            flags = kept.rotations[mapping.first(f"{side}_{bone}")]
            assert flags[change].all() and flags[change + 1].all()
        assert kept.location[change].all()
        elbow = take.bones.index(mapping.first(f"{side}_forearm"))
        turns = turning_points(take.rotations[:, elbow][None], np.radians(1.0))[0]
        assert turns.any() and kept.rotations[take.bones[elbow]][turns].all()
    shown = shown_take(take, values, kept, "bezier")
    for side, columns in (("left", slice(0, 2)), ("right", slice(2, 4))):
        stands = made.contacts[:, columns].any(axis=-1)
        miss = np.linalg.norm(Posed(stance, shown).leg(side) - Posed(stance, take).leg(side), axis=-1)
        assert miss[2:, stands].max() <= 0.005
    assert sum(flags.sum() for flags in kept.rotations.values()) < 0.3 * take.rotations[..., 0].size


def test_interpolation_goes_through_its_keys() -> None:
    values = np.cumsum(np.random.default_rng(0).normal(size=(2, 30, 3)), axis=1)
    kept = np.zeros((2, 30), bool)
    kept[:, [0, 7, 8, 20, 29]] = True
    for interpolation in ("linear", "bezier"):
        shown = interpolated(values, kept, interpolation)
        np.testing.assert_allclose(shown[kept], values[kept], atol=1e-12)
    every = np.ones_like(kept)
    np.testing.assert_array_equal(interpolated(values, every, "bezier"), values)
