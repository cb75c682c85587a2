# SPDX-License-Identifier: GPL-3.0-or-later
"""Small geometry on rows of vectors: frames of two directions, turns about an axis, soft steps."""

from __future__ import annotations

import numpy as np

from videomdm.motion import rotations

from .rig import IDENTITY, Array

X = np.array([1.0, 0.0, 0.0])
Y = np.array([0.0, 1.0, 0.0])
Z = np.array([0.0, 0.0, 1.0])


def unit(v: Array) -> Array:
    """Vectors (..., 3) at length one."""
    result: Array = rotations.normalise(v)
    return result


def dot(a: Array, b: Array) -> Array:
    """Scalar products (...) of vectors (..., 3)."""
    result: Array = np.sum(a * b, axis=-1)
    return result


def cross(a: Array, b: Array) -> Array:
    """Vector products (..., 3); both sides broadcast."""
    a, b = np.broadcast_arrays(a, b)
    result: Array = rotations.cross(a, b)
    return result


def rotate(q: Array, v: Array) -> Array:
    """Vectors (..., 3) turned by q (..., 4); both sides broadcast."""
    shape = np.broadcast_shapes(q.shape[:-1], v.shape[:-1])
    result: Array = rotations.rotate(np.broadcast_to(q, (*shape, 4)), np.broadcast_to(v, (*shape, 3)))
    return result


def compose(*turns: Array) -> Array:
    """The product of rotations (..., 4), the last applied first; all broadcast."""
    result = turns[0]
    for turn in turns[1:]:
        result = rotations.multiply(*np.broadcast_arrays(result, turn))
    return result


def inverse(q: Array) -> Array:
    """Inverse rotations (..., 4)."""
    result: Array = rotations.conjugate(q)
    return result


def swing(u: Array, v: Array) -> Array:
    """Shortest rotations (..., 4) that take direction u to direction v; both sides broadcast."""
    result: Array = rotations.between(*np.broadcast_arrays(u, v))
    return result


def about(axis: Array, angle: Array) -> Array:
    """Rotations (..., 4) by ``angle`` (...) radians about unit ``axis`` (..., 3); both sides broadcast."""
    shape = np.broadcast_shapes(axis.shape[:-1], np.shape(angle))
    result: Array = rotations.from_axis_angle(
        np.broadcast_to(axis, (*shape, 3)), np.broadcast_to(np.asarray(angle, float), shape)
    )
    return result


def partly(q: Array, share: float | Array) -> Array:
    """A share of each rotation (..., 4), by the shorter way round; both broadcast."""
    share = np.asarray(share, float)
    shape = np.broadcast_shapes(q.shape[:-1], share.shape)
    q, none = np.broadcast_to(q, (*shape, 4)), np.broadcast_to(np.array(IDENTITY), (*shape, 4))
    result: Array = rotations.slerp(none, q, np.broadcast_to(share, shape))
    return result


def mixed(a: Array, b: Array, share: float | Array) -> Array:
    """Rotations (..., 4) ``share`` of the way from a to b."""
    return compose(a, partly(compose(inverse(a), b), share))


def frame(direction: Array, side: Array) -> Array:
    """Rotations (..., 4) that take X to ``direction`` and Y to the part of ``side`` square to it."""
    direction, side = np.broadcast_arrays(direction, side)
    x = unit(direction)
    z = unit(rotations.cross(x, side))
    y = rotations.cross(z, x)
    result: Array = rotations.from_matrix(np.stack([x, y, z], axis=-1))
    return result


def soft_step(x: Array, low: float | Array, high: float | Array) -> Array:
    """0 below ``low``, 1 above ``high``, smooth in between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
