# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pole targets must be for an IK limb to bend as an FK limb does.  Pure NumPy, rows are frames."""

from __future__ import annotations

import numpy as np

from ..retarget.frames import about, cross, dot, rotate, soft_step, unit
from ..retarget.rig import Array

# Distance of elbow or knee from the line shoulder-wrist or hip-ankle, by the limb's length: below the first the
# limb is straight and where it bends to is noise, above the second it is certain.
STRAIGHT, BENT = 0.015, 0.05
STRAIGHT_AT_REST = 0.003  # the same of a limb at rest, where nothing trembles
# An FK limb can be rolled out of the plane in which it bends, an IK limb cannot.  What it may be rolled otherwise
# (radians), and, to keep to that, how far elbow or knee may lie beside their place, by the limb's length.
ROLL, BESIDE = np.radians(1.0), 0.008


def bend(root: Array, middle: Array, end: Array) -> tuple[Array, Array]:
    """(T, 3) the way from the line root-end to the middle joint, and (T, 3) the unit direction of that line."""
    line = unit(end - root)
    return middle - root - dot(middle - root, line)[:, None] * line, line


def bend_at_rest(root: Array, middle: Array, end: Array, to_pole: Array) -> Array:
    """(T, 3) unit directions in which a limb bends at rest; of one that is straight ``to_pole`` (T, 3)."""
    off, _ = bend(root, middle, end)
    length = np.linalg.norm(middle - root, axis=-1) + np.linalg.norm(end - middle, axis=-1)
    straight = np.linalg.norm(off, axis=-1) < STRAIGHT_AT_REST * length
    return unit(np.where(straight[:, None], to_pole, off))


def bend_direction(root: Array, middle: Array, end: Array, carried: Array) -> Array:
    """(T, 3) unit directions, square to the line root-end, in which the middle joint shall lie.

    root, middle, end: (T, 3) joints of the limb.
    carried: (T, 3) where the limb bends to at rest, turned with the upper bone: rules while it is straight, and is
             heeded a little where it bends.
    """
    off, line = bend(root, middle, end)
    length = np.linalg.norm(middle - root, axis=-1) + np.linalg.norm(end - middle, axis=-1)
    certain = soft_step(np.linalg.norm(off, axis=-1) / length, STRAIGHT, BENT)[:, None]
    straight = unit(carried - dot(carried, line)[:, None] * line)
    mixed = certain * unit(off) + (1.0 - certain) * straight
    mixed = unit(mixed - dot(mixed, line)[:, None] * line)
    roll = np.arctan2(dot(cross(mixed, straight), line), dot(mixed, straight))
    room = BESIDE * length / np.maximum(np.linalg.norm(off, axis=-1), 1e-3 * length)
    return rotate(about(line, np.sign(roll) * np.clip(np.abs(roll) - ROLL, 0.0, room)), mixed)


def pole_places(root: Array, middle: Array, end: Array, direction: Array, reach: float) -> Array:
    """(T, 3) pole targets, ``reach`` away from the line root-end beside the middle joint."""
    line = unit(end - root)
    beside = root + dot(middle - root, line)[:, None] * line
    return beside + reach * direction


def misses(root: Array, middle: Array, end: Array, direction: Array) -> Array:
    """(T,) radians about the line root-end from ``direction`` to the middle joint; 0 where it is straight."""
    off, line = bend(root, middle, end)
    length = np.linalg.norm(middle - root, axis=-1) + np.linalg.norm(end - middle, axis=-1)
    angle = np.arctan2(dot(cross(direction, off), line), dot(direction, off))
    certain: Array = soft_step(np.linalg.norm(off, axis=-1) / length, STRAIGHT, BENT)
    return angle * certain
