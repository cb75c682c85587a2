# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of keypoints that deserve a look: points the detector was not sure of, and points that leap.  No bpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from videomdm.keypoints import Keypoints

from .edited import height

WORST = 90.0  # percentile of frames from which on one deserves a look
LEAP = 0.1  # of the person's height: a leap and back of so much counts like a point that is not sure at all


@dataclass(frozen=True)
class Doubt:
    """A frame of the footage, from 0, and the point that stands out on it."""

    frame: int
    point: int


def doubtful(keypoints: Keypoints) -> list[Doubt]:
    """The doubtful frames in order: where doubt is at its peak and among the highest tenth of all frames.

    Ignored points are in no doubt: somebody has looked at them, or nothing was seen.
    """
    each = doubts(keypoints)
    whole = each.sum(axis=1)
    before, after = np.roll(whole, 1), np.roll(whole, -1)
    before[0] = after[-1] = -1.0
    peaks = (whole > 0) & (whole >= np.percentile(whole, WORST)) & (whole > before) & (whole >= after)
    return [Doubt(int(frame), int(each[frame].argmax())) for frame in np.flatnonzero(peaks)]


def doubts(keypoints: Keypoints) -> npt.NDArray[np.float64]:
    """(T, 27) how much each point is in doubt: what it lacks of being sure, and how far it leaps away and back."""
    seen = keypoints.confidence > 0
    result = np.where(seen, 1.0 - keypoints.confidence.astype(float), 0.0)
    if len(keypoints) > 2:
        points = keypoints.points.astype(float)
        leap = np.linalg.norm(points[1:-1] - (points[:-2] + points[2:]) / 2, axis=-1)
        both = seen[:-2] & seen[1:-1] & seen[2:]
        result[1:-1] += np.where(both, leap / (LEAP * height(keypoints)), 0.0)
    return result
