# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations as keyed values: right in every rotation mode, and without jumps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from videomdm.motion import rotations
from videomdm_blender.retarget.channels import axis_angle, channels, euler

ORDERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")


def tumbling(frames: int = 400) -> np.ndarray:
    """(T, 4) continuous rotations that turn several times about a wandering axis."""
    time = np.linspace(0, 1, frames)
    axis = rotations.normalise(
        np.stack([np.sin(5 * time), np.cos(3 * time), 0.7 * np.sin(9 * time + 1)], axis=-1)
    )
    return rotations.continuous(rotations.from_axis_angle(axis, 15 * time))


def from_fixed_axes(angles: np.ndarray, order: str) -> np.ndarray:
    """Turns about the fixed axes of ``order``, the first first: what Blender calls ``order``."""
    result = np.tile([1.0, 0.0, 0.0, 0.0], (len(angles), 1))
    for axis in order:
        index = "XYZ".index(axis)
        direction = np.broadcast_to(np.eye(3)[index], (len(angles), 3))
        result = rotations.multiply(rotations.from_axis_angle(direction, angles[:, index]), result)
    return result


@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_give_the_rotation_back(order: str) -> None:
    quaternions = tumbling()
    path, values = channels(quaternions, order)
    assert path == "rotation_euler"
    assert rotations.angle_between(from_fixed_axes(values, order), quaternions).max() < 1e-5


@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_wind_on(order: str) -> None:
    """Four turns about the last axis are four turns, not a saw."""
    angle = np.linspace(0, 8 * np.pi, 200)
    axis = np.broadcast_to(np.eye(3)["XYZ".index(order[-1])], (200, 3))
    values = euler(rotations.from_axis_angle(axis, angle), order)
    assert np.abs(np.diff(values, axis=0)).max() < 0.2
    assert np.ptp(values["XYZ".index(order[-1]) == np.arange(3)[None, :].repeat(200, 0)]) == pytest.approx(
        8 * np.pi
    )


def test_axis_angle_gives_the_rotation_back_without_jumps() -> None:
    quaternions = tumbling()
    values = axis_angle(quaternions)
    again = rotations.from_axis_angle(values[:, 1:], values[:, 0])
    assert rotations.angle_between(again, quaternions).max() < 1e-6
    assert np.sum(values[1:, 1:] * values[:-1, 1:], axis=-1).min() > 0.9


def test_axis_angle_passes_through_no_rotation() -> None:
    angle = np.linspace(-1, 1, 41)
    values = axis_angle(rotations.from_axis_angle(np.broadcast_to([1.0, 0.0, 0.0], (41, 3)), angle))
    assert all(np.abs(b - a).max() < 0.1 for a, b in pairwise(values))


def test_quaternions_are_keyed_as_they_are() -> None:
    quaternions = tumbling()
    path, values = channels(quaternions, "QUATERNION")
    assert path == "rotation_quaternion" and values is quaternions


def test_blender_reads_the_same_rotations() -> None:
    pytest.importorskip("bpy", reason="no Blender (bpy) in this environment")
    import mathutils

    quaternions = tumbling(60)
    for order in ORDERS:
        for angles, quaternion in zip(euler(quaternions, order), quaternions, strict=True):
            read = np.array(mathutils.Euler(angles.tolist(), order).to_quaternion())
            assert rotations.angle_between(read, quaternion) < 1e-5
