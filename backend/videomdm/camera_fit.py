# SPDX-License-Identifier: Apache-2.0
"""Cameras from known 3D and seen 2D joints: intrinsics, static cameras (many at once), moving cameras.

Conventions as in ``camera.py``: world Y up, camera x right, y down, z forward, normalised image coordinates.

The solver is Levenberg-Marquardt on the six degrees of freedom of each camera, with Huber weights (iteratively
reweighted least squares) and confidence squared as weight.  It starts from the best of a ring of upright views,
each with its translation in closed form.  A camera is taken to be held about level: a weak prior on roll and a
weaker one on pitch settle what short or flat clips leave open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from array_api_compat import array_namespace
from array_api_compat import device as device_of
from scipy.linalg import solveh_banded
from scipy.spatial.transform import Rotation

from .camera import Array, Camera
from .errors import UserError
from .motion.rotations import constant, from_axis_angle, to_matrix

FIELD_OF_VIEW = 60.0  # degrees across the longer side: a telephone's main camera while filming
HUBER = 0.1  # metres at the person's distance: beyond this an error counts linearly, not squared
ROLL, PITCH = np.radians(5.0), np.radians(20.0)  # standard deviations of how cameras are held
INDEPENDENT = 20.0  # of the many joints and frames, how many independent observations they are worth
NEAREST = 0.2  # metres: while solving, depths are held in front of the camera by this
YAWS, PITCHES = 8, (-20.0, 0.0, 20.0)  # the ring of starts, degrees
FEWEST = 6  # observed joints without which a camera is not determined


def intrinsics_guess(width: int, height: int, fov_degrees: float = FIELD_OF_VIEW) -> np.ndarray:
    """Intrinsics (3, 3) of a camera of which only the image size is known, pixels.

    ``fov_degrees`` is the field of view across the longer side; pixels are square, the axis is in the middle.
    """
    if not 1.0 < fov_degrees < 179.0:
        raise UserError(f"A field of view of {fov_degrees:g} degrees cannot be used.", "Choose 20 to 120.")
    focal = max(width, height) / 2 / np.tan(np.radians(fov_degrees) / 2)
    return np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])


def normalise_points(xy: Array, intrinsics: np.ndarray) -> Array:
    """Pixels (..., 2) to normalised camera coordinates (..., 2)."""
    (fx, skew, cx), (_, fy, cy), _ = (tuple(map(float, row)) for row in intrinsics)
    v = (xy[..., 1] - cy) / fy
    u = (xy[..., 0] - cx - skew * v) / fx
    return array_namespace(xy).stack([u, v], axis=-1)


def to_pixels(normalised: Array, intrinsics: np.ndarray) -> Array:
    """Normalised camera coordinates (..., 2) to pixels (..., 2)."""
    (fx, skew, cx), (_, fy, cy), _ = (tuple(map(float, row)) for row in intrinsics)
    u, v = normalised[..., 0], normalised[..., 1]
    return array_namespace(normalised).stack([fx * u + skew * v + cx, fy * v + cy], axis=-1)


@dataclass(frozen=True)
class CameraFit:
    """Cameras and how well they explain what was seen.

    camera: R (..., 3, 3) and t (..., 3).
    error:  (...) root of the weighted mean squared distance between projected and seen joints, normalised
            coordinates; infinite where too little was seen to place a camera.
    """

    camera: Camera
    error: Array


def fit_cameras(
    positions: Array,
    xy: Array,
    weight: Array,
    *,
    upright: float = 1.0,
    most_frames: int = 64,
    iterations: int = 12,
) -> CameraFit:
    """One static camera for each of B clips, all at once; NumPy arrays or torch tensors.

    positions (B, T, J, 3) world, xy (B, T, J, 2) normalised, weight (B, T, J) confidence (used squared, 0: not
    seen).  ``upright`` scales the prior on roll and pitch, 0 turns it off.  Of longer clips ``most_frames``
    frames, evenly spread, are used.  Gradients do not flow through the result.
    """
    xp = array_namespace(positions, xy, weight)
    frames = positions.shape[1]
    chosen = np.unique(np.linspace(0, frames - 1, min(frames, most_frames)).round().astype(int)).tolist()
    few = np.unique(np.linspace(0, frames - 1, min(frames, 12)).round().astype(int)).tolist()
    coarse = _Observations.of(positions[:, few], xy[:, few], weight[:, few])
    R, t = _best_start(coarse, upright)
    full = _Observations.of(positions[:, chosen], xy[:, chosen], weight[:, chosen])
    # The pivot of the rotation differs between the two selections of frames.
    t = t + _matvec(R, full.pivot - coarse.pivot)
    scale = _Scale.of(t[..., 2], _noise(full, R, t), upright)
    R, t = _refine(full, R, t, scale, iterations)
    error = xp.where(full.count >= FEWEST, _rms(full, R, t), xp.zeros_like(full.count) + float("inf"))
    return CameraFit(Camera(R, t - _matvec(R, full.pivot)), error)


def solve_static_camera(
    positions: np.ndarray, xy: np.ndarray, weight: np.ndarray, *, upright: float = 1.0
) -> CameraFit:
    """One camera for a clip; positions (T, J, 3), xy (T, J, 2) normalised, weight (T, J).

    Every frame is used, in double precision.  UserError where too little was seen.
    """
    _check_seen(weight)
    fit = fit_cameras(
        np.asarray(positions, np.float64)[None],
        np.asarray(xy, np.float64)[None],
        np.asarray(weight, np.float64)[None],
        upright=upright,
        most_frames=len(positions),
        iterations=40,
    )
    return CameraFit(Camera(fit.camera.R[0], fit.camera.t[0]), fit.error[0])


def _check_seen(weight: np.ndarray) -> None:
    if np.count_nonzero(weight) < FEWEST:
        raise UserError(
            "Too few joints are seen to place a camera.",
            "Choose footage in which the person is well visible.",
        )


@dataclass(frozen=True)
class _Observations:
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
    def of(cls, positions: Array, xy: Array, weight: Array) -> _Observations:
        xp = array_namespace(positions, xy, weight)
        batch = positions.shape[0]
        positions, xy = xp.reshape(positions, (batch, -1, 3)), xp.reshape(xy, (batch, -1, 2))
        square = xp.reshape(weight, (batch, -1)) ** 2
        count = xp.sum(xp.astype(square > 0, square.dtype), axis=-1)
        share = square / xp.clip(xp.sum(square, axis=-1, keepdims=True), min=1e-9)
        pivot = xp.sum(share[..., None] * positions, axis=-2)
        return cls(positions - pivot[:, None, :], xy, share, count, pivot)


def _matvec(R: Array, v: Array) -> Array:
    """(..., 3, 3) times (..., 3)."""
    return array_namespace(R, v).sum(R * v[..., None, :], axis=-1)


def _turned(R: Array, points: Array) -> Array:
    """R (B, 3, 3) applied to (B, N, 3)."""
    xp = array_namespace(R, points)
    return xp.matmul(points, xp.matrix_transpose(R))


def _residuals(seen: _Observations, R: Array, t: Array) -> tuple[Array, Array, Array]:
    """Turned points (B, N, 3), camera points with the depth held (B, N, 3), and residuals (B, N, 2)."""
    xp = array_namespace(R)
    turned = _turned(R, seen.positions)
    camera = turned + t[:, None, :]
    depth = xp.clip(camera[..., 2:], min=NEAREST)
    camera = xp.concat([camera[..., :2], depth], axis=-1)
    return turned, camera, camera[..., :2] / depth - seen.xy


def _rms(seen: _Observations, R: Array, t: Array) -> Array:
    xp = array_namespace(R)
    _, _, residual = _residuals(seen, R, t)
    return xp.sqrt(xp.sum(seen.weight * xp.sum(residual**2, axis=-1), axis=-1))


def _noise(seen: _Observations, R: Array, t: Array) -> Array:
    """(B,) the usual distance between projected and seen joints; wild ones count as no more than ``HUBER``."""
    xp = array_namespace(R)
    _, camera, residual = _residuals(seen, R, t)
    distance = xp.sqrt(xp.sum(residual**2, axis=-1))
    return xp.sum(seen.weight * xp.minimum(distance, HUBER / camera[..., 2]), axis=-1)


@dataclass(frozen=True)
class _Scale:
    """What errors cost, for B clips.

    width: (B,) residual at which the Huber loss turns linear.
    roll, pitch: (B,) cost of the squared tilt of the vertical, against the mean squared residual: the square of
    the residuals' own size, over the number of independent observations and the variance of the tilt.
    """

    width: Array
    roll: Array
    pitch: Array

    @classmethod
    def of(cls, depth: Array, noise: Array, upright: float) -> _Scale:
        """For people at ``depth`` (B,) metres whose residuals are ``noise`` (B,) large."""
        width = HUBER / array_namespace(depth).clip(depth, min=1.0)
        strength = upright * noise**2 / INDEPENDENT
        return cls(width, strength / float(ROLL) ** 2, strength / float(PITCH) ** 2)


def _cost(residual: Array, weight: Array, scale: _Scale, R: Array) -> Array:
    """(B,) weighted mean of the Huber loss plus the prior."""
    xp = array_namespace(residual)
    distance = xp.sqrt(xp.sum(residual**2, axis=-1) + 1e-18)
    width = scale.width[:, None]
    loss = xp.where(distance < width, distance**2, 2 * width * distance - width**2)
    up = R[..., 1]
    return xp.sum(weight * loss, axis=-1) + scale.roll * up[..., 0] ** 2 + scale.pitch * up[..., 2] ** 2


def _jacobian(turned: Array, camera: Array) -> Array:
    """Derivative (B, N, 2, 6) of the projection by a turn about the pivot (3) and a translation (3)."""
    xp = array_namespace(camera)
    rx, ry, rz = turned[..., 0], turned[..., 1], turned[..., 2]
    near = 1.0 / camera[..., 2]
    u, v = camera[..., 0] * near, camera[..., 1] * near
    zero = xp.zeros_like(u)
    row_u = xp.stack([-u * ry, rz + u * rx, -ry, zero + 1, zero, -u], axis=-1)
    row_v = xp.stack([-rz - v * ry, v * rx, rx, zero, zero + 1, -v], axis=-1)
    return near[..., None, None] * xp.stack([row_u, row_v], axis=-2)


def _normal_equations(seen: _Observations, R: Array, t: Array, scale: _Scale) -> tuple[Array, Array, Array]:
    """Matrix (B, 6, 6), gradient (B, 6) and cost (B,) at R, t."""
    xp = array_namespace(R)
    turned, camera, residual = _residuals(seen, R, t)
    distance = xp.sqrt(xp.sum(residual**2, axis=-1) + 1e-18)
    weight = seen.weight * xp.clip(scale.width[:, None] / distance, max=1.0)
    J = _jacobian(turned, camera)
    batch, joints = J.shape[0], J.shape[1]
    rows = xp.reshape(J, (batch, 2 * joints, 6))
    weighted = xp.matrix_transpose(xp.reshape(J * weight[..., None, None], (batch, 2 * joints, 6)))
    H = xp.matmul(weighted, rows)
    g = xp.matmul(weighted, xp.reshape(residual, (batch, 2 * joints, 1)))[..., 0]
    # The prior: residuals are the x (roll) and z (pitch) components of the world's up in the camera.
    up = R[..., 1]
    zero = xp.zeros_like(up[..., 0])
    for strength, value, row in (
        (scale.roll, up[..., 0], (zero, up[..., 2], -up[..., 1], zero, zero, zero)),
        (scale.pitch, up[..., 2], (up[..., 1], -up[..., 0], zero, zero, zero, zero)),
    ):
        j = xp.stack(row, axis=-1)
        H = H + strength[:, None, None] * j[:, :, None] * j[:, None, :]
        g = g + (strength * value)[:, None] * j
    return H, g, _cost(residual, seen.weight, scale, R)


def _moved(R: Array, t: Array, step: Array) -> tuple[Array, Array]:
    """R and t after a step (B, 6): a turn in camera axes and a translation."""
    xp = array_namespace(R)
    turn = step[..., :3]
    angle = xp.sqrt(xp.sum(turn**2, axis=-1) + 1e-30)
    return xp.matmul(to_matrix(from_axis_angle(turn / angle[..., None], angle)), R), t + step[..., 3:]


def _refine(seen: _Observations, R: Array, t: Array, scale: _Scale, iterations: int) -> tuple[Array, Array]:
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


def _start_rotations(yaw: int) -> np.ndarray:
    """(P, 3, 3): views of a person from direction number ``yaw`` of the ring, at each pitch."""
    level = np.diag([1.0, -1.0, -1.0]) @ Rotation.from_euler("y", 360 / YAWS * yaw, degrees=True).as_matrix()
    return np.stack([Rotation.from_euler("x", pitch, degrees=True).as_matrix() @ level for pitch in PITCHES])


def _best_start(seen: _Observations, upright: float, tried: int = 3) -> tuple[Array, Array]:
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
        R, t = _refine(seen, R, t, _Scale.of(t[..., 2], HUBER / 4 / t[..., 2], upright), iterations=6)
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


def _start_cost(seen: _Observations, R: Array, t: Array, upright: float) -> Array:
    """Comparable between starts: for all the scale is that of a person at 4 m."""
    xp = array_namespace(R)
    _, _, residual = _residuals(seen, R, t)
    depth = xp.zeros_like(t[..., 0]) + 4.0
    return _cost(residual, seen.weight, _Scale.of(depth, HUBER / 4 / depth, upright), R)


def _with_translation(seen: _Observations, R: Array, upright: float) -> tuple[Array, Array, Array]:
    """One rotation (3, 3) for all clips, with each clip's translation in closed form, and the cost.

    With q = R X: tx - u tz = u qz - qx and ty - v tz = v qz - qy, linear in t.
    """
    xp = array_namespace(R)
    w, u, v = seen.weight, seen.xy[..., 0], seen.xy[..., 1]
    R = xp.zeros_like(seen.positions[:, 0, :, None]) + R
    q = _turned(R, seen.positions)
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
    _check_seen(weight)
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
    return turn @ R, _matvec(turn, t) + step[:, 3:]


def _frame_residuals(seen: _FrameObservations, R: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Camera points (T, J, 3), the depth held, and residuals (T, J, 2)."""
    camera = _turned(R, seen.positions) + t[:, None, :]
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
    J = _jacobian(camera, camera).reshape(frames, -1, 6)
    weighted = J * np.repeat(weight, 2, axis=1)[..., None]
    blocks = np.zeros((3, frames, 6, 6))  # blocks[k][i] couples frame i with frame i + k
    blocks[0] = weighted.transpose(0, 2, 1) @ J + 1e-9 * np.eye(6)
    g = (weighted * residual.reshape(frames, -1, 1)).sum(axis=1)
    loss = np.where(distance < seen.width, distance**2, 2 * seen.width * distance - seen.width**2)
    cost = float((seen.weight * loss).sum()) / seen.noise**2

    up = R[..., 1]
    zero = np.zeros(frames)
    for angle, value, row in (
        (ROLL, up[:, 0], (zero, up[:, 2], -up[:, 1], zero, zero, zero)),
        (PITCH, up[:, 2], (up[:, 1], -up[:, 0], zero, zero, zero, zero)),
    ):
        j = np.stack(row, axis=-1)
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
    centre = -_matvec(R.transpose(0, 2, 1), t)
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


__all__ = [
    "CameraFit",
    "fit_cameras",
    "intrinsics_guess",
    "normalise_points",
    "solve_frame_cameras",
    "solve_static_camera",
    "to_pixels",
]
