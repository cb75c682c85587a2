# SPDX-License-Identifier: Apache-2.0
"""What cameras are fitted to, and what a camera that does not explain it costs.

The world's Y is up; in a camera x is right, y down, z forward.  Image coordinates are normalised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace

from ..camera import Array, Camera
from ..errors import UserError

HUBER = 0.1  # metres at the person's distance: beyond this an error counts linearly, not squared
ROLL, PITCH = np.radians(5.0), np.radians(20.0)  # standard deviations of how cameras are held
INDEPENDENT = 20.0  # of the many joints and frames, how many independent observations they are worth
NEAREST = 0.2  # metres: while solving, depths are held in front of the camera by this
FEWEST = 6  # observed joints without which a camera is not determined


@dataclass(frozen=True)
class CameraFit:
    """Cameras and how well they explain what was seen.

    camera: R (..., 3, 3) and t (..., 3).
    error:  (...) root of the weighted mean squared distance between projected and seen joints, normalised
            coordinates; infinite where too little was seen to place a camera.
    """

    camera: Camera
    error: Array


def check_seen(weight: np.ndarray) -> None:
    """UserError where fewer than ``FEWEST`` joints of a clip have weight, of any shape."""
    if np.count_nonzero(weight) < FEWEST:
        raise UserError(
            "Too few joints are seen to place a camera.",
            "Choose footage in which the person is well visible.",
        )


@dataclass(frozen=True)
class Observations:
    """What B cameras are fitted to, N joints each, in coordinates about ``pivot``.

    positions (B, N, 3), xy (B, N, 2), weight (B, N) that adds up to 1, count (B,) of joints seen,
    pivot (B, 3): the mean position; turning about it makes rotation and translation nearly independent.
    """

    positions: Array
    xy: Array
    weight: Array
    count: Array
    pivot: Array

    @classmethod
    def of(cls, positions: Array, xy: Array, weight: Array) -> Observations:
        xp = array_namespace(positions, xy, weight)
        batch = positions.shape[0]
        positions, xy = xp.reshape(positions, (batch, -1, 3)), xp.reshape(xy, (batch, -1, 2))
        square = xp.reshape(weight, (batch, -1)) ** 2
        count = xp.sum(xp.astype(square > 0, square.dtype), axis=-1)
        share = square / xp.clip(xp.sum(square, axis=-1, keepdims=True), min=1e-9)
        pivot = xp.sum(share[..., None] * positions, axis=-2)
        return cls(positions - pivot[:, None, :], xy, share, count, pivot)


def matvec(R: Array, v: Array) -> Array:
    """(..., 3, 3) times (..., 3)."""
    return array_namespace(R, v).sum(R * v[..., None, :], axis=-1)


def rotated(R: Array, points: Array) -> Array:
    """R (B, 3, 3) applied to (B, N, 3)."""
    xp = array_namespace(R, points)
    return xp.matmul(points, xp.matrix_transpose(R))


def residuals(seen: Observations, R: Array, t: Array) -> tuple[Array, Array, Array]:
    """Turned points (B, N, 3), camera points with the depth held (B, N, 3), and residuals (B, N, 2)."""
    xp = array_namespace(R)
    turned = rotated(R, seen.positions)
    camera = turned + t[:, None, :]
    depth = xp.clip(camera[..., 2:], min=NEAREST)
    camera = xp.concat([camera[..., :2], depth], axis=-1)
    return turned, camera, camera[..., :2] / depth - seen.xy


def rms_error(seen: Observations, R: Array, t: Array) -> Array:
    """(B,) root of the weighted mean squared distance between projected and seen joints."""
    xp = array_namespace(R)
    _, _, residual = residuals(seen, R, t)
    return xp.sqrt(xp.sum(seen.weight * xp.sum(residual**2, axis=-1), axis=-1))


def usual_error(seen: Observations, R: Array, t: Array) -> Array:
    """(B,) the usual distance between projected and seen joints; wild ones count as no more than ``HUBER``."""
    xp = array_namespace(R)
    _, camera, residual = residuals(seen, R, t)
    distance = xp.sqrt(xp.sum(residual**2, axis=-1))
    return xp.sum(seen.weight * xp.minimum(distance, HUBER / camera[..., 2]), axis=-1)


@dataclass(frozen=True)
class Scale:
    """What errors cost, for B clips.

    width: (B,) residual at which the Huber loss turns linear.
    roll, pitch: (B,) cost of the squared tilt of the vertical, against the mean squared residual: the square of
    the residuals' own size, over the number of independent observations and the variance of the tilt.
    """

    width: Array
    roll: Array
    pitch: Array

    @classmethod
    def of(cls, depth: Array, noise: Array, upright: float) -> Scale:
        """For people at ``depth`` (B,) metres whose residuals are ``noise`` (B,) large."""
        width = HUBER / array_namespace(depth).clip(depth, min=1.0)
        strength = upright * noise**2 / INDEPENDENT
        return cls(width, strength / float(ROLL) ** 2, strength / float(PITCH) ** 2)


def total_cost(residual: Array, weight: Array, scale: Scale, R: Array) -> Array:
    """(B,) weighted mean of the Huber loss plus the prior."""
    xp = array_namespace(residual)
    distance = xp.sqrt(xp.sum(residual**2, axis=-1) + 1e-18)
    width = scale.width[:, None]
    loss = xp.where(distance < width, distance**2, 2 * width * distance - width**2)
    up = R[..., 1]
    return xp.sum(weight * loss, axis=-1) + scale.roll * up[..., 0] ** 2 + scale.pitch * up[..., 2] ** 2


def jacobian(turned: Array, camera: Array) -> Array:
    """Derivative (B, N, 2, 6) of the projection by a turn about the pivot (3) and a translation (3)."""
    xp = array_namespace(camera)
    rx, ry, rz = turned[..., 0], turned[..., 1], turned[..., 2]
    near = 1.0 / camera[..., 2]
    u, v = camera[..., 0] * near, camera[..., 1] * near
    zero = xp.zeros_like(u)
    row_u = xp.stack([-u * ry, rz + u * rx, -ry, zero + 1, zero, -u], axis=-1)
    row_v = xp.stack([-rz - v * ry, v * rx, rx, zero, zero + 1, -v], axis=-1)
    return near[..., None, None] * xp.stack([row_u, row_v], axis=-2)


def tilt(R: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Roll and pitch of cameras R (B, 3, 3) as residuals of the prior: value (B,) and derivative (B, 6) of each.

    The values are the x and z components of the world's up in the camera; derivatives as of :func:`jacobian`.
    """
    xp = array_namespace(R)
    x, y, z = R[..., 0, 1], R[..., 1, 1], R[..., 2, 1]
    zero = xp.zeros_like(x)
    roll = xp.stack([zero, z, -y, zero, zero, zero], axis=-1)
    pitch = xp.stack([y, -x, zero, zero, zero, zero], axis=-1)
    return (x, roll), (z, pitch)
