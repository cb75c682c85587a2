# SPDX-License-Identifier: Apache-2.0
"""Where to start solving: the best of a ring of upright views, each with its translation in closed form."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace
from scipy.spatial.transform import Rotation

from ..camera import Array
from ..motion.rotations import constant
from .observations import HUBER, Observations, Scale, residuals, rotated, total_cost
from .refine import refine

YAWS, PITCHES = 8, (-20.0, 0.0, 20.0)  # the ring, degrees


def _start_rotations(yaw: int) -> np.ndarray:
    """(P, 3, 3): views of a person from direction number ``yaw`` of the ring, at each pitch."""
    level = np.diag([1.0, -1.0, -1.0]) @ Rotation.from_euler("y", 360 / YAWS * yaw, degrees=True).as_matrix()
    return np.stack([Rotation.from_euler("x", pitch, degrees=True).as_matrix() @ level for pitch in PITCHES])


def best_start(seen: Observations, upright: float, tried: int = 3) -> tuple[Array, Array]:
    """R and t of the best view: of each direction the best pitch, of the best directions the best after solving.

    A few steps tell a view from its mirror image, which can look alike at first.
    """
    xp = array_namespace(seen.positions)
    views = [
        _best_of(
            [_with_translation(seen, constant(R, seen.positions), upright) for R in _start_rotations(yaw)]
        )
        for yaw in range(YAWS)
    ]
    order = xp.argsort(xp.stack([cost for _, _, cost in views]), axis=0)  # (YAWS, B)
    finalists = []
    for rank in range(tried):
        R, t = views[0][:2]
        for index, (other_R, other_t, _) in enumerate(views):
            mine = order[rank] == index
            R = xp.where(mine[:, None, None], other_R, R)
            t = xp.where(mine[:, None], other_t, t)
        R, t = refine(seen, R, t, Scale.of(t[..., 2], HUBER / 4 / t[..., 2], upright), iterations=6)
        finalists.append((R, t, _start_cost(seen, R, t, upright)))
    R, t, _ = _best_of(finalists)
    return R, t


def _best_of(candidates: list[tuple[Array, Array, Array]]) -> tuple[Array, Array, Array]:
    """Of several (R, t, cost) for each clip the one of lowest cost."""
    best = candidates[0]
    xp = array_namespace(best[0])
    for other in candidates[1:]:
        better = other[2] < best[2]
        best = (
            xp.where(better[:, None, None], other[0], best[0]),
            xp.where(better[:, None], other[1], best[1]),
            xp.where(better, other[2], best[2]),
        )
    return best


def _start_cost(seen: Observations, R: Array, t: Array, upright: float) -> Array:
    """Comparable between starts: for all the scale is that of a person at 4 m."""
    xp = array_namespace(R)
    _, _, residual = residuals(seen, R, t)
    depth = xp.zeros_like(t[..., 0]) + 4.0
    return total_cost(residual, seen.weight, Scale.of(depth, HUBER / 4 / depth, upright), R)


def _with_translation(seen: Observations, R: Array, upright: float) -> tuple[Array, Array, Array]:
    """One rotation (3, 3) for all clips, with each clip's translation in closed form, and the cost.

    With q = R X: tx - u tz = u qz - qx and ty - v tz = v qz - qy, linear in t.
    """
    xp = array_namespace(R)
    w, u, v = seen.weight, seen.xy[..., 0], seen.xy[..., 1]
    R = xp.zeros_like(seen.positions[:, 0, :, None]) + R
    q = rotated(R, seen.positions)
    a, b = u * q[..., 2] - q[..., 0], v * q[..., 2] - q[..., 1]

    def mean(values: Array) -> Array:
        return xp.sum(w * values, axis=-1)

    # Eliminating tx and ty leaves one equation for the depth.
    mean_u, mean_v, mean_a, mean_b = mean(u), mean(v), mean(a), mean(b)
    spread = mean(u * u) - mean_u**2 + mean(v * v) - mean_v**2
    shared = mean_u * mean_a - mean(u * a) + mean_v * mean_b - mean(v * b)
    tz = xp.clip(shared / xp.clip(spread, min=1e-9), min=0.5, max=200.0)
    t = xp.stack([mean_a + mean_u * tz, mean_b + mean_v * tz, tz], axis=-1)
    return R, t, _start_cost(seen, R, t, upright)
