# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pole targets must be for an IK limb to bend as an FK limb does.  Pure NumPy, rows are frames."""

from __future__ import annotations

import numpy as np

from ..retarget.frames import cross, dot, soft_step, unit
from ..retarget.rig import Array

# Distance of elbow or knee from the line shoulder-wrist or hip-ankle, by the limb's length: below the first the
# limb is straight and where it bends to is noise, above the second it is certain.
STRAIGHT, BENT = 0.015, 0.05


def bend(root: Array, middle: Array, end: Array) -> tuple[Array, Array]:
    """(T, 3) the way from the line root-end to the middle joint, and (T, 3) the unit direction of that line."""
    line = unit(end - root)
    return middle - root - dot(middle - root, line)[:, None] * line, line


def bend_direction(root: Array, middle: Array, end: Array, carried: Array) -> Array:
    """(T, 3) unit directions, square to the line root-end, in which the middle joint shall lie.

    root, middle, end: (T, 3) joints of the limb.
    carried: (T, 3) where the limb bends to at rest, turned with the upper bone: rules while it is straight.
    """
    off, line = bend(root, middle, end)
    length = np.linalg.norm(middle - root, axis=-1) + np.linalg.norm(end - middle, axis=-1)
    certain = soft_step(np.linalg.norm(off, axis=-1) / length, STRAIGHT, BENT)[:, None]
    straight = unit(carried - dot(carried, line)[:, None] * line)
    mixed = certain * unit(off) + (1.0 - certain) * straight
    return unit(mixed - dot(mixed, line)[:, None] * line)


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
