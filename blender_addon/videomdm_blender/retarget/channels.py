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
    # The way from one triple to the next is as long as that between their other triples, so whether to change
    # over does not depend on which of the two was taken before.
    stay, change = _way(one[1:], one[:-1]), _way(other[1:], one[:-1])
    start = np.zeros((1, 3))
    first = _way(other[:1], start) < _way(one[:1], start)
    changed = np.cumsum(np.concatenate([first, change < stay])) % 2
    chosen = np.where(changed[:, None] == 1, other, one)
    result: Array = np.unwrap(np.concatenate([start, chosen]), axis=0)[1:]
    return result


def _way(to: Array, start: Array) -> Array:
    """(T,) sums of the three angles' changes, each by its shorter way round."""
    turn = to - start
    way: Array = np.abs(turn - TURN * np.round(turn / TURN)).sum(axis=-1)
    return way


def axis_angle(quaternions: Array) -> Array:
    """(T, 4) angle and axis; the axis never flips, the angle takes the sign instead and winds on past a turn."""
    sine = np.linalg.norm(quaternions[:, 1:], axis=-1)
    known = np.flatnonzero(sine > SMALL)
    if not len(known):
        axes, turns = np.tile([0.0, 1.0, 0.0], (len(quaternions), 1)), np.zeros(len(quaternions))
    else:
        directions = quaternions[known, 1:] / sine[known, None]
        flips = np.concatenate([[False], np.sum(directions[1:] * directions[:-1], axis=-1) < 0])
        signs = 1.0 - 2.0 * (np.cumsum(flips) % 2)
        last = np.maximum(np.searchsorted(known, np.arange(len(quaternions)), side="right") - 1, 0)
        axes = (directions * signs[:, None])[last]
        # A rotation without an axis lies at no turn or at a whole one: continued from the frames around it.
        turns = 2.0 * np.arctan2(np.sum(quaternions[:, 1:] * axes, axis=-1), quaternions[:, 0])
    angles = np.unwrap(np.concatenate([[0.0], turns]))[1:]
    return np.concatenate([angles[:, None], axes], axis=-1)
