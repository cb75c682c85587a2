# SPDX-License-Identifier: Apache-2.0
"""Rotations as pure functions over the last axis, on NumPy arrays and torch tensors alike.

Quaternions are (w, x, y, z), unit length, right-handed.  ``matrix`` is (..., 3, 3), acting on column
vectors.  ``sixd`` is (..., 6): the first two columns of the matrix (Zhou et al., "On the Continuity of
Rotation Representations in Neural Networks", 2019).  All functions broadcast and return the input's kind
of array, dtype and device.
"""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace, device

Array = Any  # a NumPy array or a torch tensor: whatever supports the array API standard


def constant(values: Any, like: Array) -> Array:
    """``values`` as an array of the kind, dtype and device of ``like``."""
    return array_namespace(like).asarray(values, dtype=like.dtype, device=device(like))


def normalise(v: Array, eps: float = 1e-12) -> Array:
    """Vectors (..., N) at unit length; vectors shorter than ``eps`` stay short instead of dividing by zero."""
    xp = array_namespace(v)
    return v / xp.clip(xp.sqrt(xp.sum(v * v, axis=-1, keepdims=True)), min=eps)


def cross(a: Array, b: Array) -> Array:
    """Cross product of (..., 3) vectors."""
    xp = array_namespace(a, b)
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return xp.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def multiply(a: Array, b: Array) -> Array:
    """Hamilton product a*b of (..., 4) quaternions: first b, then a."""
    xp = array_namespace(a, b)
    aw, ax, ay, az = (a[..., i] for i in range(4))
    bw, bx, by, bz = (b[..., i] for i in range(4))
    return xp.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def conjugate(q: Array) -> Array:
    """The inverse of unit quaternions (..., 4)."""
    xp = array_namespace(q)
    return xp.concat([q[..., :1], -q[..., 1:]], axis=-1)


def rotate(q: Array, v: Array) -> Array:
    """Rotate vectors (..., 3) by unit quaternions (..., 4)."""
    imaginary = q[..., 1:]
    t = 2.0 * cross(imaginary, v)
    return v + q[..., :1] * t + cross(imaginary, t)


def from_axis_angle(axis: Array, angle: Array) -> Array:
    """Quaternions (..., 4) of turns by ``angle`` (...) radians about unit ``axis`` (..., 3)."""
    xp = array_namespace(axis, angle)
    half = angle[..., None] / 2.0
    return xp.concat([xp.cos(half), xp.sin(half) * axis], axis=-1)


def about_y(angle: Array) -> Array:
    """Quaternions (..., 4) of turns by ``angle`` (...) radians about +Y; a quarter turn takes +Z to +X."""
    xp = array_namespace(angle)
    zero = xp.zeros_like(angle)
    return xp.stack([xp.cos(angle / 2.0), zero, xp.sin(angle / 2.0), zero], axis=-1)


def between(u: Array, v: Array) -> Array:
    """The shortest rotation (..., 4) that takes direction u to direction v, both (..., 3).

    Opposite directions turn by half a circle about a fixed axis square to u, so the result is finite.
    """
    xp = array_namespace(u, v)
    u, v = normalise(u), normalise(v)
    w = 1.0 + xp.sum(u * v, axis=-1, keepdims=True)
    opposite = w < 1e-6
    x_axis = xp.zeros_like(u) + constant([1.0, 0.0, 0.0], u)
    y_axis = xp.zeros_like(u) + constant([0.0, 1.0, 0.0], u)
    square = xp.where(xp.abs(u[..., :1]) < 0.9, cross(u, x_axis), cross(u, y_axis))
    imaginary = xp.where(opposite, normalise(square), cross(u, v))
    return normalise(xp.concat([xp.where(opposite, xp.zeros_like(w), w), imaginary], axis=-1))


def to_matrix(q: Array) -> Array:
    """Matrices (..., 3, 3) of unit quaternions (..., 4)."""
    xp = array_namespace(q)
    w, x, y, z = (q[..., i] for i in range(4))
    rows = [
        xp.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], axis=-1),
        xp.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], axis=-1),
        xp.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=-1),
    ]
    return xp.stack(rows, axis=-2)


def from_matrix(m: Array) -> Array:
    """Unit quaternions (..., 4) of rotation matrices (..., 3, 3), w not negative.

    Of the four classical formulas the one with the largest divisor is taken for each matrix, so the result
    keeps full precision at every angle.
    """
    xp = array_namespace(m)
    m00, m01, m02 = m[..., 0, 0], m[..., 0, 1], m[..., 0, 2]
    m10, m11, m12 = m[..., 1, 0], m[..., 1, 1], m[..., 1, 2]
    m20, m21, m22 = m[..., 2, 0], m[..., 2, 1], m[..., 2, 2]
    candidates = xp.stack(
        [
            xp.stack([1 + m00 + m11 + m22, m21 - m12, m02 - m20, m10 - m01], axis=-1),
            xp.stack([m21 - m12, 1 + m00 - m11 - m22, m10 + m01, m02 + m20], axis=-1),
            xp.stack([m02 - m20, m10 + m01, 1 - m00 + m11 - m22, m21 + m12], axis=-1),
            xp.stack([m10 - m01, m02 + m20, m21 + m12, 1 - m00 - m11 + m22], axis=-1),
        ],
        axis=-2,
    )
    squares = xp.sum(candidates * candidates, axis=-1)
    best = xp.argmax(squares, axis=-1)
    chosen = xp.arange(4, device=device(m)) == best[..., None]
    q = xp.sum(xp.where(chosen[..., None], candidates, xp.zeros_like(candidates)), axis=-2)
    q = normalise(q)
    return xp.where(q[..., :1] < 0, -q, q)


def to_sixd(q: Array) -> Array:
    """The 6D form (..., 6) of unit quaternions (..., 4)."""
    xp = array_namespace(q)
    m = to_matrix(q)
    return xp.concat([m[..., :, 0], m[..., :, 1]], axis=-1)


def from_euler(angles: Array, order: str) -> Array:
    """Quaternions (..., 4) of intrinsic turns by ``angles`` (..., 3) radians about the axes of ``order``.

    ``order`` names the axes in the order of the angles ("ZXY": first Z, then the turned X, then the twice
    turned Y), as the channels of a BVH file do.
    """
    xp = array_namespace(angles)
    result = None
    for i, axis in enumerate(order.upper()):
        direction = constant([float(axis == a) for a in "XYZ"], angles)
        turn = from_axis_angle(direction + xp.zeros_like(angles[..., :1]), angles[..., i])
        result = turn if result is None else multiply(result, turn)
    return result


def to_euler(q: Array, order: str) -> Array:
    """Intrinsic angles (..., 3), radians, of unit quaternions (..., 4); the inverse of :func:`from_euler`.

    ``order`` holds three different axes.  At gimbal lock the third angle is 0.
    """
    xp = array_namespace(q)
    i, j, k = ("XYZ".index(axis) for axis in order.upper())
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    m = to_matrix(q)
    sine = xp.clip(sign * m[..., i, k], -1.0, 1.0)
    locked = xp.abs(sine) > 1.0 - 1e-9
    first = xp.where(
        locked,
        xp.atan2(sign * m[..., k, j], m[..., j, j]),
        xp.atan2(-sign * m[..., j, k], m[..., k, k]),
    )
    third = xp.where(locked, xp.zeros_like(sine), xp.atan2(-sign * m[..., i, j], m[..., i, i]))
    return xp.stack([first, xp.asin(sine), third], axis=-1)


def slerp(a: Array, b: Array, t: Array) -> Array:
    """Interpolate unit quaternions (..., 4) along the shorter arc; ``t`` (...) from 0 (a) to 1 (b)."""
    xp = array_namespace(a, b)
    dot = xp.sum(a * b, axis=-1, keepdims=True)
    b = xp.where(dot < 0, -b, b)
    angle = xp.acos(xp.clip(xp.abs(dot), max=1.0))
    t = t[..., None]
    near = angle < 1e-4
    sine = xp.where(near, xp.ones_like(angle), xp.sin(angle))
    wa = xp.where(near, 1.0 - t + 0.0 * angle, xp.sin((1.0 - t) * angle) / sine)
    wb = xp.where(near, t + 0.0 * angle, xp.sin(t * angle) / sine)
    return normalise(wa * a + wb * b)


def angle_between(a: Array, b: Array) -> Array:
    """The angle (...) in radians, 0 to pi, between rotations a and b (..., 4)."""
    xp = array_namespace(a, b)
    difference = multiply(conjugate(a), b)
    sine = xp.sqrt(xp.sum(difference[..., 1:] ** 2, axis=-1))
    return 2.0 * xp.atan2(sine, xp.abs(difference[..., 0]))


def continuous(q: Array) -> Array:
    """Choose signs along the time axis (T, ..., 4) so that neighbouring quaternions lie on one hemisphere."""
    xp = array_namespace(q)
    dot = xp.sum(q[1:] * q[:-1], axis=-1)
    one = xp.ones_like(dot)
    signs = xp.cumulative_prod(xp.where(dot < 0, -one, one), axis=0)
    return xp.concat([q[:1], q[1:] * signs[..., None]], axis=0)


def yaw_facing(direction: Array) -> Array:
    """The angle (...) about +Y that takes +Z to the horizontal part of ``direction`` (..., 3), radians."""
    xp = array_namespace(direction)
    return xp.atan2(direction[..., 0], direction[..., 2])
