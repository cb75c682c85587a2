# SPDX-License-Identifier: Apache-2.0
"""The one layout of body points that every detector's output is expressed in.

The canonical layout is Halpe-26 with one more point, the middle of the shoulders.  "neck" is the upper neck
(level with the chin) as Halpe, MPII and BODY_25B annotate it; the "Neck" of OpenPose's COCO and BODY_25 models
lies on the line of the shoulders and is therefore ``shoulder_centre`` here.  Left and right are the person's.
A point that a detector does not know has confidence 0.
"""

from __future__ import annotations

import numpy as np

from ..errors import UserError

NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "head_top", "neck", "mid_hip",
    "left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe", "left_heel", "right_heel",
    "shoulder_centre",
)  # fmt: skip
COUNT = len(NAMES)
LAYOUT = "body-27"  # the layout's name in files
INDEX = {name: index for index, name in enumerate(NAMES)}

# Pairs of points to draw a line between.
CONNECTIONS = tuple(
    (INDEX[a], INDEX[b])
    for a, b in (
        ("left_ear", "left_eye"), ("left_eye", "nose"), ("nose", "right_eye"), ("right_eye", "right_ear"),
        ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"),
        ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"),
        ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
        ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
        ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
        ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
        ("left_ankle", "left_heel"), ("left_heel", "left_big_toe"), ("left_ankle", "left_big_toe"),
        ("right_ankle", "right_heel"), ("right_heel", "right_big_toe"), ("right_ankle", "right_big_toe"),
    )
)  # fmt: skip


def _other_side(name: str) -> str:
    if name.startswith("left"):
        return name.replace("left", "right", 1)
    return name.replace("right", "left", 1)


# ``points[:, SWAP]`` exchanges left and right.
SWAP = tuple(INDEX[_other_side(name)] for name in NAMES)


def _both_sides(*names: str) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for name in names for side in ("left", "right"))


_COCO_17 = ("nose", *_both_sides("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"))
_HALPE_26 = (
    *_COCO_17, "head_top", "neck", "mid_hip", *_both_sides("big_toe", "small_toe", "heel")
)  # fmt: skip
_FEET_BY_SIDE = tuple(
    f"{side}_{name}" for side in ("left", "right") for name in ("big_toe", "small_toe", "heel")
)
_OPENPOSE_ARMS = (
    "nose", "shoulder_centre", "right_shoulder", "right_elbow", "right_wrist",
    "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip
_OPENPOSE_LEGS = ("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle")
_OPENPOSE_FACE = ("right_eye", "left_eye", "right_ear", "left_ear")

# For each detector layout: the canonical name of each of its points, "" for points that have no place here.
DETECTORS: dict[str, tuple[str, ...]] = {
    "coco-17": _COCO_17,
    "coco-18": (*_OPENPOSE_ARMS, *_OPENPOSE_LEGS, *_OPENPOSE_FACE),
    "body-25": (*_OPENPOSE_ARMS, "mid_hip", *_OPENPOSE_LEGS, *_OPENPOSE_FACE, *_FEET_BY_SIDE),
    "body-25b": (*_COCO_17, "neck", "head_top", *_FEET_BY_SIDE),
    "halpe-26": _HALPE_26,
    LAYOUT: NAMES,
    # BlazePose: inner, middle and outer eye; mouth and hand points are not used.
    "mediapipe-33": (
        "nose", "", "left_eye", "", "", "right_eye", "", "left_ear", "right_ear", "", "",
        *_both_sides("shoulder", "elbow", "wrist"), *("",) * 6,
        *_both_sides("hip", "knee", "ankle", "heel", "big_toe"),
    ),
    "coco-wholebody-133": (*_COCO_17, *_FEET_BY_SIDE, *("",) * 110),
    "halpe-136": (*_HALPE_26, *("",) * 110),
}  # fmt: skip
# BODY_25 numbers its six foot points from the left big toe, as BODY_25B does.

_BY_COUNT = {len(names): key for key, names in DETECTORS.items() if not key.startswith("body-25")}


def guess_detector(points: np.ndarray) -> str:
    """Which detector layout (P, N, 2 or 3) points of P people are in, by their number and arrangement.

    25 points are OpenPose's BODY_25 or its BODY_25B.  In BODY_25 point 1 lies between points 2 and 5 (neck
    and shoulders) and point 8 between 9 and 12 (hips); in BODY_25B points 1 and 2 are the eyes and point 17,
    the neck, lies between 5 and 6 (shoulders).  UserError for another number of points.
    """
    points = np.asarray(points, dtype=np.float64)
    count = points.shape[1]
    if count == 25:
        seen = points[..., 2] > 0 if points.shape[2] > 2 else np.ones(points.shape[:2], bool)
        size = np.linalg.norm(np.ptp(points[..., :2], axis=1), axis=-1) + 1e-9

        def off_centre(middle: int, left: int, right: int) -> float:
            there = seen[:, middle] & seen[:, left] & seen[:, right]
            gap = points[:, middle, :2] - (points[:, left, :2] + points[:, right, :2]) / 2
            ratios = (np.linalg.norm(gap, axis=-1) / size)[there]
            return float(np.median(ratios)) if len(ratios) else 1.0

        plain = off_centre(1, 2, 5) + off_centre(8, 9, 12)
        return "body-25" if plain < 2 * off_centre(17, 5, 6) else "body-25b"
    if count not in _BY_COUNT:
        known = ", ".join(str(len(names)) for names in DETECTORS.values())
        raise UserError(
            f"People with {count} keypoints are in no known layout.",
            f"Use a body model with one of these numbers of points: {known}.",
        )
    return _BY_COUNT[count]


def to_canonical(points: np.ndarray, detector: str) -> np.ndarray:
    """(..., N, 3) x, y and confidence in a detector's layout to (..., 27, 3) in the canonical one.

    Confidence is held between 0 and 1; points that are missing (confidence 0, or not finite) are all zero.
    """
    points = np.asarray(points, dtype=np.float64)
    names = DETECTORS[detector]
    if points.shape[-2:] != (len(names), 3):
        raise ValueError(f"{detector} has (..., {len(names)}, 3) points, not {points.shape}")
    result = np.zeros((*points.shape[:-2], COUNT, 3))
    source = [i for i, name in enumerate(names) if name]
    result[..., [INDEX[names[i]] for i in source], :] = points[..., source, :]
    missing = ~np.isfinite(result).all(axis=-1) | ~(result[..., 2] > 0)
    result[missing] = 0.0
    result[..., 2] = np.clip(result[..., 2], 0.0, 1.0)
    return result
