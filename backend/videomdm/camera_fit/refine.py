# SPDX-License-Identifier: Apache-2.0
"""Levenberg-Marquardt on the six degrees of freedom of each of B cameras.

Huber weights are brought up to date at each step (iteratively reweighted least squares).
"""

from __future__ import annotations

from array_api_compat import array_namespace
from array_api_compat import device as device_of

from ..camera import Array
from ..motion.rotations import from_axis_angle, to_matrix
from .observations import Observations, Scale, jacobian, residuals, tilt, total_cost


def _normal_equations(seen: Observations, R: Array, t: Array, scale: Scale) -> tuple[Array, Array, Array]:
    """Matrix (B, 6, 6), gradient (B, 6) and cost (B,) at R, t."""
    xp = array_namespace(R)
    turned, camera, residual = residuals(seen, R, t)
    distance = xp.sqrt(xp.sum(residual**2, axis=-1) + 1e-18)
    weight = seen.weight * xp.clip(scale.width[:, None] / distance, max=1.0)
    J = jacobian(turned, camera)
    batch, joints = J.shape[0], J.shape[1]
    rows = xp.reshape(J, (batch, 2 * joints, 6))
    weighted = xp.matrix_transpose(xp.reshape(J * weight[..., None, None], (batch, 2 * joints, 6)))
    H = xp.matmul(weighted, rows)
    g = xp.matmul(weighted, xp.reshape(residual, (batch, 2 * joints, 1)))[..., 0]
    for strength, (value, j) in zip((scale.roll, scale.pitch), tilt(R), strict=True):
        H = H + strength[:, None, None] * j[:, :, None] * j[:, None, :]
        g = g + (strength * value)[:, None] * j
    return H, g, total_cost(residual, seen.weight, scale, R)


def _moved(R: Array, t: Array, step: Array) -> tuple[Array, Array]:
    """R and t after a step (B, 6): a turn in camera axes and a translation."""
    xp = array_namespace(R)
    turn = step[..., :3]
    angle = xp.sqrt(xp.sum(turn**2, axis=-1) + 1e-30)
    return xp.matmul(to_matrix(from_axis_angle(turn / angle[..., None], angle)), R), t + step[..., 3:]


def refine(seen: Observations, R: Array, t: Array, scale: Scale, iterations: int) -> tuple[Array, Array]:
    """Levenberg-Marquardt from R (B, 3, 3), t (B, 3); every camera keeps its own damping."""
    xp = array_namespace(R)
    damping = xp.zeros_like(t[..., 0]) + 1e-3
    eye = xp.eye(6, dtype=R.dtype, device=device_of(R))
    tiny = 1e-6 if R.dtype == xp.float32 else 1e-12
    H, g, cost = _normal_equations(seen, R, t, scale)
    for _ in range(iterations):
        added = eye * (xp.sum(H * eye, axis=-1)[..., None] * damping[:, None, None] + tiny)
        step = -xp.linalg.solve(H + added, g[..., None])[..., 0]
        moved_R, moved_t = _moved(R, t, step)
        moved_H, moved_g, moved_cost = _normal_equations(seen, moved_R, moved_t, scale)
        better = moved_cost < cost
        R = xp.where(better[:, None, None], moved_R, R)
        t = xp.where(better[:, None], moved_t, t)
        H = xp.where(better[:, None, None], moved_H, H)
        g = xp.where(better[:, None], moved_g, g)
        cost = xp.where(better, moved_cost, cost)
        damping = xp.clip(xp.where(better, damping / 5, damping * 8), min=1e-9, max=1e6)
    return R, t
