# SPDX-License-Identifier: GPL-3.0-or-later
"""What F-curves show between their keys, as Blender evaluates them, for many curves at once.

Bezier keys get handles a third of the way to the next key, so that time runs evenly and a segment is a cubic
Hermite curve through the slopes of the keys; linear ones are straight.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from videomdm.motion import rotations

from ..retarget.channels import AXIS_ANGLE, QUATERNION
from ..retarget.rig import Array, Flags


def slopes(values: Array) -> Array:
    """(N, T, C) change per frame of values (N, T, C): what the handles of Bezier keys follow."""
    if values.shape[1] < 2:
        return np.zeros_like(values)
    slope: Array = np.gradient(values, axis=1)
    return slope


def interpolated(values: Array, kept: Flags, interpolation: str) -> Array:
    """(N, T, C) on each frame, when of values (N, T, C) only frames ``kept`` (N, T) have keys.

    The first and the last frame are kept.
    """
    frames = np.arange(values.shape[1])
    before = np.maximum.accumulate(np.where(kept, frames, 0), axis=1)
    after = np.minimum.accumulate(np.where(kept, frames, frames[-1])[:, ::-1], axis=1)[:, ::-1]
    length = (after - before)[..., None]
    u = (frames - before)[..., None] / np.maximum(length, 1)
    start, end = _at(values, before), _at(values, after)
    line: Array = start + u * (end - start)
    if interpolation != "bezier":
        return line
    slope = slopes(values)
    bend = u * (1.0 - u)
    out, into = length * _at(slope, before) - (end - start), length * _at(slope, after) - (end - start)
    result: Array = line + bend * ((1.0 - u) * out - u * into)
    return result


def as_quaternions(values: Array, mode: str) -> Array:
    """Rotations (N, T, 4) that bones in rotation ``mode`` show for the values (N, T, 3 or 4) of their channels."""
    if mode == QUATERNION:
        result: Array = rotations.normalise(values)
    elif mode == AXIS_ANGLE:
        result = rotations.from_axis_angle(rotations.normalise(values[..., 1:]), values[..., 0])
    else:
        order = mode[::-1]  # Blender turns about fixed axes
        result = rotations.from_euler(values[..., ["XYZ".index(axis) for axis in order]], order)
    return result


def _at(values: Array, frames: npt.NDArray[np.intp]) -> Array:
    return np.take_along_axis(values, frames[..., None], axis=1)
