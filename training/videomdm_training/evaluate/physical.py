# SPDX-License-Identifier: Apache-2.0
"""Is it physically plausible?  Measures of one motion that need no ground truth.

All take positions (T, 22, 3) in metres, Y up (``UP``), the floor at y = 0, and frames per second.  They answer
in SI units; a motion too short for a measure gives nan.
"""

from __future__ import annotations

import numpy as np

from videomdm.motion.skeleton import JOINT_NAMES, PARENTS

UP, FLOOR = 1, (0, 2)  # axes
TOES = tuple(JOINT_NAMES.index(f"{side}_foot") for side in ("left", "right"))
CONTACT_HEIGHT = 0.05  # metres: a toe that stays lower over two frames stands on the floor
SLIDING_SPEED = 0.5  # m/s: 2.5 cm a frame at 20 fps, the threshold of GMD (Karunratanakul et al., 2023)
BELOW_FLOOR = 0.02  # metres: joints lie inside the foot, so less is no fault


def foot_skate(positions: np.ndarray, fps: float) -> dict[str, float]:
    """How much standing toes slide.

    foot_skate: mean horizontal speed, m/s, of toes lower than ``CONTACT_HEIGHT`` in two neighbouring frames.
    sliding:    part of those frames in which the toe is faster than ``SLIDING_SPEED``.
    contact:    part of all frames in which a toe stands; without it the first two say little.
    """
    toes = positions[:, list(TOES)].astype(np.float64)
    low = toes[..., UP] < CONTACT_HEIGHT
    standing = low[1:] & low[:-1]
    speed = np.linalg.norm(np.diff(toes[..., list(FLOOR)], axis=0), axis=-1) * fps
    if not standing.any():
        return {"foot_skate": np.nan, "sliding": np.nan, "contact": 0.0 if len(standing) else np.nan}
    chosen = speed[standing]
    return {
        "foot_skate": float(chosen.mean()),
        "sliding": float((chosen > SLIDING_SPEED).mean()),
        "contact": float(standing.mean()),
    }


def floor(positions: np.ndarray) -> dict[str, float]:
    """Where the lowest joint of each frame is.

    penetration: mean depth below the floor, metres, 0 for frames above it.
    below:       part of the frames in which it lies deeper than ``BELOW_FLOOR``.
    height:      mean height above the floor, metres, 0 for frames below it; jumping and climbing count.
    """
    lowest = positions[..., UP].min(axis=1).astype(np.float64)
    return {
        "penetration": float(np.clip(-lowest, 0, None).mean()),
        "below": float((lowest < -BELOW_FLOOR).mean()),
        "height": float(np.clip(lowest, 0, None).mean()),
    }


def smoothness(positions: np.ndarray, fps: float) -> dict[str, float]:
    """How fast and how jerky joints move.

    speed: mean speed of all joints, m/s.
    jerk:  mean length of the third derivative of all joints' places, m/s^3.
    """

    def derivative(order: int) -> float:
        if len(positions) <= order:
            return float("nan")
        change = np.diff(positions.astype(np.float64), n=order, axis=0) * fps**order
        return float(np.linalg.norm(change, axis=-1).mean())

    return {"speed": derivative(1), "jerk": derivative(3)}


def bone_drift(positions: np.ndarray) -> float:
    """Mean distance, metres, of bone lengths from their median over the clip: 0 for a rigid skeleton."""
    parents = np.array(PARENTS[1:])
    lengths = np.linalg.norm(positions[:, 1:] - positions[:, parents], axis=-1).astype(np.float64)
    return float(np.abs(lengths - np.median(lengths, axis=0)).mean())


def measure(positions: np.ndarray, fps: float) -> dict[str, float]:
    """All measures of this file by name."""
    return {
        **foot_skate(positions, fps),
        **floor(positions),
        **smoothness(positions, fps),
        "bone_drift": bone_drift(positions),
    }


def plausibility(positions: np.ndarray, fps: float) -> dict[str, float]:
    """The few of :func:`measure` that tell lifted motion from captured motion: foot skate, jerk and bone drift."""
    measured = measure(positions, fps)
    return {name: measured[name] for name in ("foot_skate", "jerk", "bone_drift")}
