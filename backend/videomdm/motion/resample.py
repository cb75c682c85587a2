# SPDX-License-Identifier: Apache-2.0
"""Motion at another frame rate.

Frame k of the result lies at exactly k / fps_out seconds, so nothing drifts; the result ends with the last
frame that does not lie beyond the end of the source.  In between, positions follow a Catmull-Rom curve and
rotations the same curve in the tangent space of the earlier frame.  Straight lines (lerp, slerp) would
flatten every swing by an amount that depends on where the new frame falls between two old ones, and so put a
beat of the two rates into all accelerations.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import UserError
from . import rotations
from .clip import Motion


def resample(motion: Motion, fps: float) -> Motion:
    """``motion`` at ``fps`` frames per second; contacts are those of the nearest frame.

    Features are dropped: they hold velocities per frame, encode the new positions again.  UserError where
    ``fps`` is no usable frame rate.
    """
    if not 1 <= fps < 1000:
        raise UserError(f"{fps:g} frames per second is no usable frame rate.", "Give a rate from 1 to 240.")
    if fps == motion.fps:
        return motion
    times = source_times(len(motion), motion.fps, fps)
    contacts = motion.contacts
    return replace(
        motion,
        positions=resample_positions(motion.positions, motion.fps, fps),
        fps=fps,
        contacts=None if contacts is None else contacts[np.floor(times + 0.5).astype(int)],
        features=None,
    )


def source_times(frames: int, fps_in: float, fps_out: float) -> np.ndarray:
    """(T_out,) where each new frame lies among the ``frames`` old ones, in old frames, 0 to frames - 1."""
    # The tolerance keeps a last frame that falls on the end but for rounding.
    count = int(np.floor((frames - 1) * fps_out / fps_in + 1e-4)) + 1
    return np.minimum(np.arange(count) * (fps_in / fps_out), frames - 1)


def resample_positions(positions: np.ndarray, fps_in: float, fps_out: float) -> np.ndarray:
    """Values (T, ...) on a vector space, at another rate: (T_out, ...) in the same dtype."""
    neighbours, weights = _curve(len(positions), fps_in, fps_out)
    weights = weights.reshape(*weights.shape, *[1] * (positions.ndim - 1))
    return sum(w * positions[n] for n, w in zip(neighbours, weights, strict=True)).astype(positions.dtype)


def resample_rotations(quaternions: np.ndarray, fps_in: float, fps_out: float) -> np.ndarray:
    """Unit quaternions (T, ..., 4) at another rate: (T_out, ..., 4) in the same dtype."""
    neighbours, weights = _curve(len(quaternions), fps_in, fps_out)
    weights = weights.reshape(*weights.shape, *[1] * (quaternions.ndim - 1))
    base = quaternions[neighbours[1]]
    inverse = rotations.conjugate(base)
    turn = sum(
        weights[i] * _logarithm(rotations.multiply(inverse, quaternions[neighbours[i]])) for i in (0, 2, 3)
    )
    return rotations.normalise(rotations.multiply(base, _exponential(turn))).astype(quaternions.dtype)


def _curve(frames: int, fps_in: float, fps_out: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices (4, T_out) of the four frames around each new one, and their Catmull-Rom weights (4, T_out)."""
    times = source_times(frames, fps_in, fps_out)
    start = np.minimum(np.floor(times).astype(int), max(frames - 2, 0))
    t = times - start
    neighbours = np.stack([start - 1, start, start + 1, start + 2]).clip(0, frames - 1)
    weights = 0.5 * np.stack([
        -t + 2 * t**2 - t**3,
        2 - 5 * t**2 + 3 * t**3,
        t + 4 * t**2 - 3 * t**3,
        -(t**2) + t**3,
    ])  # fmt: skip
    return neighbours, weights


def _logarithm(q: np.ndarray) -> np.ndarray:
    """Rotation vectors (..., 3) of unit quaternions (..., 4), at most half a turn long."""
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine < 1e-8, 2.0, angle / np.maximum(sine, 1e-8))


def _exponential(v: np.ndarray) -> np.ndarray:
    """Unit quaternions (..., 4) of rotation vectors (..., 3)."""
    angle = np.linalg.norm(v, axis=-1, keepdims=True)
    return np.concatenate([np.cos(angle / 2.0), 0.5 * np.sinc(angle / (2.0 * np.pi)) * v], axis=-1)
