# SPDX-License-Identifier: Apache-2.0
"""How near is a lifted motion to the true one?  The usual measures of 3D human pose estimation.

Both motions are (T, 22, 3), in metres, in the same axes.  "About the root" means that the pelvis of every frame
is put in one place first.
"""

from __future__ import annotations

import numpy as np

PCK = (0.05, 0.1)  # metres


def about_root(positions: np.ndarray) -> np.ndarray:
    """(T, 22, 3) float64 with every frame's pelvis at the origin."""
    return (positions - positions[:, :1]).astype(np.float64)


def joint_errors(positions: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(T, 21) distances, metres, of the joints about the root; the root itself, always 0, is left out."""
    return np.linalg.norm(about_root(positions) - about_root(truth), axis=-1)[:, 1:]


def procrustes(positions: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(T, 22, 3) each frame moved, turned and scaled onto the truth by least squares (Umeyama, 1991)."""
    centre, goal = positions.mean(1, keepdims=True), truth.mean(1, keepdims=True)
    a, b = (positions - centre).astype(np.float64), (truth - goal).astype(np.float64)
    u, s, vt = np.linalg.svd(np.swapaxes(a, 1, 2) @ b)
    sign = np.ones_like(s)
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    turn = (u * sign[:, None]) @ vt
    scale = (s * sign).sum(1) / np.maximum((a**2).sum((1, 2)), 1e-12)
    return scale[:, None, None] * (a @ turn) + goal


def acceleration_error(positions: np.ndarray, truth: np.ndarray, fps: float) -> float:
    """Mean length, m/s^2, of the difference of the joints' accelerations about the root; nan under 3 frames."""
    difference = about_root(positions) - about_root(truth)
    if len(difference) < 3:
        return float("nan")
    return float(np.linalg.norm(np.diff(difference, n=2, axis=0)[:, 1:], axis=-1).mean() * fps**2)


def turn_onto(positions: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The motion turned about the vertical as a whole to fit the truth best, and its first root put on the truth's.

    For lifted motions in a level world of their own, whose heading means nothing.
    """
    a, b = about_root(positions), about_root(truth)
    cosine = (a[..., 0] * b[..., 0] + a[..., 2] * b[..., 2]).sum()
    sine = (a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]).sum()
    norm = max(float(np.hypot(cosine, sine)), 1e-12)
    c, s = cosine / norm, sine / norm
    turn = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    turned = positions.astype(np.float64) @ turn.T
    return turned + (truth[0, 0] - turned[0, 0])


def path_error(positions: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance, metres, of the roots over the clip, in the given coordinates."""
    return float(np.linalg.norm((positions[:, 0] - truth[:, 0]).astype(np.float64), axis=-1).mean())


def measure(positions: np.ndarray, truth: np.ndarray, fps: float) -> dict[str, float]:
    """Errors by name.

    mpjpe, pa_mpjpe: mean joint distance in metres about the root, and after :func:`procrustes` of each frame.
    pck_50, pck_100: part of the joints nearer than 50 and 100 mm about the root.
    acceleration:    see :func:`acceleration_error`.
    """
    errors = joint_errors(positions, truth)
    aligned = np.linalg.norm(procrustes(positions, truth) - truth, axis=-1)
    return {
        "mpjpe": float(errors.mean()),
        "pa_mpjpe": float(aligned.mean()),
        **{f"pck_{round(1000 * limit)}": float((errors < limit).mean()) for limit in PCK},
        "acceleration": acceleration_error(positions, truth, fps),
    }
