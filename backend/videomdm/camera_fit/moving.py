# SPDX-License-Identifier: Apache-2.0
"""Cameras that move: one pose for each frame of a clip, smooth in time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solveh_banded
from scipy.spatial.transform import Rotation

from ..camera import Camera
from .observations import (
    HUBER,
    INDEPENDENT,
    NEAREST,
    PITCH,
    ROLL,
    CameraFit,
    check_seen,
    jacobian,
    matvec,
    rotated,
    tilt,
)
from .static import fit_cameras, solve_static_camera


def solve_frame_cameras(
    positions: np.ndarray,
    xy: np.ndarray,
    weight: np.ndarray,
    fps: float,
    *,
    upright: float = 1.0,
    turn_acceleration: float = 2.0,
    move_acceleration: float = 2.0,
    iterations: int = 20,
) -> CameraFit:
    """A moving camera: one pose for each frame, smooth in time.

    positions (T, J, 3) world, xy (T, J, 2) normalised, weight (T, J).  Starts from static cameras of one-second
    windows; then all frames are solved together, where second differences of the camera's direction and
    position are residuals too: ``turn_acceleration`` (rad/s^2) and ``move_acceleration`` (m/s^2) are the usual
    sizes of what a hand does.  Frames in which nothing was seen follow from their neighbours.  Returns
    cameras R (T, 3, 3), t (T, 3) and each frame's error (T,).  UserError where too little was seen.
    """
    check_seen(weight)
    positions, xy, weight = (np.asarray(array, np.float64) for array in (positions, xy, weight))
    R, t = _window_cameras(positions, xy, weight, fps, upright)
    rates = np.repeat([turn_acceleration, move_acceleration], 3) / fps**2
    width = HUBER / max(1.0, float(np.median(t[:, 2])))
    seen = _FrameObservations(positions, xy, weight**2, width, noise=width / 4)
    if len(positions) > 1:
        R, t = _solve_frames(seen, R, t, rates, upright, iterations)
        # Smoothness is weighed against the size that the residuals turn out to have.
        distance = np.linalg.norm(_frame_residuals(seen, R, t)[1], axis=-1)[weight > 0]
        seen = replace(seen, noise=max(1e-4, float(np.median(distance))))
        R, t = _solve_frames(seen, R, t, rates, upright, iterations)
    residual = _frame_residuals(seen, R, t)[1]
    total = seen.weight.sum(axis=-1)
    square = (seen.weight * (residual**2).sum(axis=-1)).sum(axis=-1)
    error = np.where(total > 0, np.sqrt(square / np.maximum(total, 1e-12)), np.inf)
    return CameraFit(Camera(R, t), error)


@dataclass(frozen=True)
class _FrameObservations:
    """positions (T, J, 3), xy (T, J, 2), weight (T, J).

    ``width`` is the residual at which the Huber loss turns linear, ``noise`` the usual one.
    """

    positions: np.ndarray
    xy: np.ndarray
    weight: np.ndarray
    width: float
    noise: float


def _solve_frames(
    seen: _FrameObservations, R: np.ndarray, t: np.ndarray, rates: np.ndarray, upright: float, iterations: int
) -> tuple[np.ndarray, np.ndarray]:
    """Levenberg-Marquardt over all frames together."""
    damping = 1e-4
    H, g, cost = _frame_equations(seen, R, t, rates, upright)
    for _ in range(iterations):
        damped = H.copy()
        damped[-1] *= 1 + damping
        moved = _moved_about_centre(R, t, -solveh_banded(damped, g).reshape(len(R), 6))
        moved_H, moved_g, moved_cost = _frame_equations(seen, *moved, rates, upright)
        if moved_cost < cost:
            small = cost - moved_cost < 1e-9 * cost
            (R, t), H, g, cost, damping = moved, moved_H, moved_g, moved_cost, damping / 5
            if small:
                break
        else:
            damping *= 8
    return R, t


def _window_cameras(
    positions: np.ndarray, xy: np.ndarray, weight: np.ndarray, fps: float, upright: float
) -> tuple[np.ndarray, np.ndarray]:
    """R (T, 3, 3) and t (T, 3): each frame's camera from the static fit of the second around it."""
    frames = len(positions)
    reach = max(1, round(fps / 2))
    window = np.clip(np.arange(frames)[:, None] + np.arange(-reach, reach + 1), 0, frames - 1)
    fit = fit_cameras(positions[window], xy[window], weight[window], upright=upright, most_frames=16)
    good = np.isfinite(fit.error)
    if not good.any():
        fit = solve_static_camera(positions, xy, weight, upright=upright)
        return np.tile(fit.camera.R, (frames, 1, 1)), np.tile(fit.camera.t, (frames, 1))
    known = np.flatnonzero(good)
    nearest = known[np.abs(np.arange(frames)[:, None] - known).argmin(axis=1)]
    return fit.camera.R[nearest], fit.camera.t[nearest]


def _moved_about_centre(R: np.ndarray, t: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cameras after a step (T, 6): a turn about their own centres, in camera axes, and a move."""
    turn = Rotation.from_rotvec(step[:, :3]).as_matrix()
    return turn @ R, matvec(turn, t) + step[:, 3:]


def _frame_residuals(seen: _FrameObservations, R: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Camera points (T, J, 3), the depth held, and residuals (T, J, 2)."""
    camera = rotated(R, seen.positions) + t[:, None, :]
    camera[..., 2] = np.maximum(camera[..., 2], NEAREST)
    return camera, camera[..., :2] / camera[..., 2:] - seen.xy


def _frame_equations(
    seen: _FrameObservations, R: np.ndarray, t: np.ndarray, rates: np.ndarray, upright: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Normal equations over all frames: upper band (18, 6 T) for ``solveh_banded``, gradient (6 T,), cost."""
    frames = len(R)
    camera, residual = _frame_residuals(seen, R, t)
    distance = np.sqrt((residual**2).sum(axis=-1) + 1e-18)
    weight = seen.weight * np.minimum(1.0, seen.width / distance) / seen.noise**2
    J = jacobian(camera, camera).reshape(frames, -1, 6)
    weighted = J * np.repeat(weight, 2, axis=1)[..., None]
    blocks = np.zeros((3, frames, 6, 6))  # blocks[k][i] couples frame i with frame i + k
    blocks[0] = weighted.transpose(0, 2, 1) @ J + 1e-9 * np.eye(6)
    g = (weighted * residual.reshape(frames, -1, 1)).sum(axis=1)
    loss = np.where(distance < seen.width, distance**2, 2 * seen.width * distance - seen.width**2)
    cost = float((seen.weight * loss).sum()) / seen.noise**2

    for angle, (value, j) in zip((ROLL, PITCH), tilt(R), strict=True):
        strength = upright / (angle**2 * INDEPENDENT)
        blocks[0] += strength * j[:, :, None] * j[:, None, :]
        g += strength * value[:, None] * j
        cost += strength * float((value**2).sum())

    if frames > 2:
        cost += _add_smoothness(blocks, g, R, t, rates)
    return _band(blocks), g.ravel(), cost


def _add_smoothness(
    blocks: np.ndarray, g: np.ndarray, R: np.ndarray, t: np.ndarray, rates: np.ndarray
) -> float:
    """Add the second differences of direction and position to the equations, in place; their cost.

    A turn ``w`` of each camera changes the bend of its direction by the second difference of w; a move ``d``
    in camera axes changes its centre by -R^T d.
    """
    relative = Rotation.from_matrix(R[1:] @ R[:-1].transpose(0, 2, 1)).as_rotvec()
    centre = -matvec(R.transpose(0, 2, 1), t)
    bend = np.concatenate([np.diff(relative, axis=0), np.diff(centre, n=2, axis=0)], axis=-1) / rates
    D = np.zeros((len(R), 6, 6))  # how a frame's step changes its (direction, centre)
    D[:, :3, :3] = np.eye(3)
    D[:, 3:, 3:] = -R.transpose(0, 2, 1)
    D /= rates[:, None]
    factors = (1.0, -2.0, 1.0)
    last = len(R) - 2
    for i, a in enumerate(factors):
        D_i = D[i : i + last]
        g[i : i + last] += a * (D_i.transpose(0, 2, 1) @ bend[..., None])[..., 0]
        for k, b in enumerate(factors[i:]):
            blocks[k, i : i + last] += a * b * (D_i.transpose(0, 2, 1) @ D[i + k : i + k + last])
    return float((bend**2).sum())


def _band(blocks: np.ndarray) -> np.ndarray:
    """Blocks (3, T, 6, 6) as the upper band (18, 6 T) of a symmetric matrix: band[17 + i - j, j] = M[i, j]."""
    frames = blocks.shape[1]
    band = np.zeros((18, 6 * frames))
    for k in range(3):
        for row in range(6):
            for column in range(row if k == 0 else 0, 6):
                offset = 6 * k + column - row
                columns = 6 * (np.arange(frames - k) + k) + column
                band[17 - offset, columns] = blocks[k, : frames - k, row, column]
    return band
