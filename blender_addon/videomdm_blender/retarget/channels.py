# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations as the values that Blender keys in each rotation mode, without jumps from frame to frame."""

from __future__ import annotations

import numpy as np

from videomdm.motion import rotations

from .rig import Array

QUATERNION = "QUATERNION"
AXIS_ANGLE = "AXIS_ANGLE"
TURN = 2.0 * np.pi
SMALL = 1e-6  # sine below which a rotation has no axis


def channels(quaternions: Array, mode: str) -> tuple[str, Array]:
    """The property that a bone in rotation ``mode`` is keyed by, and its values (T, 3 or 4).

    quaternions: (T, 4) continuous pose rotations.
    mode:        Blender's: "QUATERNION", "AXIS_ANGLE" or an Euler order such as "XYZ".
    """
    if mode == QUATERNION:
        return "rotation_quaternion", quaternions
    if mode == AXIS_ANGLE:
        return "rotation_axis_angle", axis_angle(quaternions)
    return "rotation_euler", euler(quaternions, mode)


def euler(quaternions: Array, order: str) -> Array:
    """(T, 3) angles about X, Y and Z.  Blender's "XYZ" turns about the fixed X, then Y, then Z.

    Every rotation has two triples of angles, each plus any number of full turns: of each frame the one that
    lies nearest to the frame before is taken.
    """
    axes = order[::-1]  # fixed axes in this order are turning axes in the opposite order
    columns = ["XYZ".index(axis) for axis in axes]
    one = np.empty((len(quaternions), 3))
    one[:, columns] = rotations.to_euler(quaternions, axes)
    other = one + np.pi
    middle = columns[1]
    other[:, middle] = np.pi - one[:, middle]
    result = np.empty_like(one)
    last = np.zeros(3)
    for t in range(len(one)):
        near = [angles + TURN * np.round((last - angles) / TURN) for angles in (one[t], other[t])]
        last = min(near, key=lambda angles: float(np.abs(angles - last).sum()))
        result[t] = last
    return result


def axis_angle(quaternions: Array) -> Array:
    """(T, 4) angle and axis; the axis never flips, the angle takes the sign instead and winds on past a turn."""
    sine = np.linalg.norm(quaternions[:, 1:], axis=-1)
    result = np.empty((len(quaternions), 4))
    first = int(np.argmax(sine > SMALL))
    axis = quaternions[first, 1:] / sine[first] if sine[first] > SMALL else np.array([0.0, 1.0, 0.0])
    angle = 0.0
    for t in range(len(quaternions)):
        if sine[t] > SMALL:
            direction = quaternions[t, 1:] / sine[t]
            turn = 2.0 * float(np.arctan2(sine[t], quaternions[t, 0]))
            if direction @ axis < 0:
                direction, turn = -direction, -turn
            axis = direction
        else:
            turn = 0.0 if quaternions[t, 0] > 0 else TURN
        angle = turn + TURN * float(np.round((angle - turn) / TURN))
        result[t] = angle, *axis
    return result
