# SPDX-License-Identifier: GPL-3.0-or-later
"""What an animator's curves say of keypoints: which points were changed, and how sure they are.  No bpy.

A point that was moved is sure: confidence 1.  A point whose confidence the animator has set has that.  All others
keep what the detector gave them, so that keypoints nobody has touched come back as they were.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from videomdm.errors import UserError
from videomdm.keypoints import Keypoints
from videomdm.keypoints.layout import NAMES

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

MOVED = 0.01  # of the person's height: what smoothing moves by less does not make a doubtful point sure
TOLD = 0.002  # confidence is kept to 1/1000 in files


def height(keypoints: Keypoints) -> float:
    """The usual height of the person in the picture, pixels; at least 1."""
    points, confidence = keypoints.points[keypoints.seen], keypoints.confidence[keypoints.seen]
    if not len(points):
        return float(max(1.0, keypoints.height / 2))
    y = np.where(confidence > 0, points[..., 1], np.nan)
    return float(max(1.0, np.median(np.nanmax(y, axis=1) - np.nanmin(y, axis=1))))


def edited(loaded: Keypoints, points: Floats, confidence: Floats, keyed: Flags, drawn: Flags) -> Keypoints:
    """The keypoints that curves show.

    loaded:     as they were shown.
    points:     (T, 27, 2) pixels, where the curves are.
    confidence: (T, 27) of the curves.
    keyed:      (T, 27) where a point has a key of its own.
    drawn:      (27,) which points have a curve at all; where the animator has deleted it, nothing was seen.

    UserError where a curve is no number, or leaves nothing to be seen.
    """
    _check_finite(points, confidence)
    seen = loaded.confidence > 0
    confidence = np.clip(confidence, 0.0, 1.0).astype(np.float32)
    moved = seen & (np.linalg.norm(points - loaded.points, axis=-1) > MOVED * height(loaded))
    moved = (moved | _bridged(seen, keyed)) & drawn
    told = np.abs(confidence - loaded.confidence) > TOLD
    sure = np.where(moved, np.float32(1), np.where(drawn, loaded.confidence, np.float32(0)))
    result = replace(loaded, points=points, confidence=np.where(told, confidence, sure))
    if not result.seen.any():
        raise UserError(
            "All keypoints are ignored on all frames.", "Trust some of them, or restore them.", "no-keypoints"
        )
    changed = (result.confidence != loaded.confidence) | (result.points != loaded.points).any(axis=-1)
    return result.noted(edited_points=int(changed.sum())) if changed.any() else loaded


def _bridged(seen: Flags, keyed: Flags) -> Flags:
    """(T, 27) frames on which a point was not seen and lies on a curve that the animator has drawn.

    That is a gap with a key in it, from the detection or the first key before to the detection or the last key
    after.
    """
    result = np.zeros_like(seen)
    for point in range(seen.shape[1]):
        edges = np.flatnonzero(np.diff(np.concatenate([[True], seen[:, point], [True]]).astype(int)))
        for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            keys = begin + np.flatnonzero(keyed[begin:end, point])
            if len(keys):
                first = begin if begin > 0 else int(keys[0])
                last = end if end < len(seen) else int(keys[-1]) + 1
                result[first:last, point] = True
    return result


def _check_finite(points: Floats, confidence: Floats) -> None:
    broken = ~(np.isfinite(points).all(axis=-1) & np.isfinite(confidence))
    if broken.any():
        frame, point = np.argwhere(broken)[0].tolist()
        raise UserError(
            f"The curves of {NAMES[point]} are no number on frame {frame + 1}.",
            "Delete that key, or restore the point.",
            "bad-keypoints",
        )
