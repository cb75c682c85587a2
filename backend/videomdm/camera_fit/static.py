# SPDX-License-Identifier: Apache-2.0
"""Cameras that stand still, many clips at once."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from ..camera import Array, Camera
from .observations import FEWEST, CameraFit, Observations, Scale, check_seen, matvec, rms_error, usual_error
from .refine import refine
from .starts import best_start


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
    coarse = Observations.of(positions[:, few], xy[:, few], weight[:, few])
    R, t = best_start(coarse, upright)
    full = Observations.of(positions[:, chosen], xy[:, chosen], weight[:, chosen])
    # The pivot of the rotation differs between the two selections of frames.
    t = t + matvec(R, full.pivot - coarse.pivot)
    scale = Scale.of(t[..., 2], usual_error(full, R, t), upright)
    R, t = refine(full, R, t, scale, iterations)
    error = xp.where(full.count >= FEWEST, rms_error(full, R, t), xp.zeros_like(full.count) + float("inf"))
    return CameraFit(Camera(R, t - matvec(R, full.pivot)), error)


def solve_static_camera(
    positions: np.ndarray, xy: np.ndarray, weight: np.ndarray, *, upright: float = 1.0
) -> CameraFit:
    """One camera for a clip; positions (T, J, 3), xy (T, J, 2) normalised, weight (T, J).

    Every frame is used, in double precision.  UserError where too little was seen.
    """
    check_seen(weight)
    fit = fit_cameras(
        np.asarray(positions, np.float64)[None],
        np.asarray(xy, np.float64)[None],
        np.asarray(weight, np.float64)[None],
        upright=upright,
        most_frames=len(positions),
        iterations=40,
    )
    return CameraFit(Camera(fit.camera.R[0], fit.camera.t[0]), fit.error[0])
