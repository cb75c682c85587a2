# SPDX-License-Identifier: Apache-2.0
"""From detected points to the joints of the body model.

Detectors mark what people see (hips at the width of the pelvis, the ears, the tip of the big toe); the body
model has joint centres.  Where the offset is systematic it is removed by a linear combination of seen points,
which holds in any view up to perspective.  The coefficients follow from the proportions of HumanML3D's skeleton
and from triangulated BODY_25B markers of one recorded person (hips 0.21 m apart, shoulders 0.33 m, heel to toe
0.21 m), with legs of the same length:

* hips: the model's are 0.12 m apart, 0.6 of the detectors'; the height agrees within 2 cm.
* pelvis: 0.09 m above the middle of the hips, 0.18 of the way to the middle of the shoulders.
* neck: half way from the middle of the shoulders to the middle of the ears; head: the middle of the ears
  (single markers lie up to 3 cm off; so their weight is reduced).
* feet: the model's joint is the ball of the foot, 0.85 of the way from the heel (or ankle) to the big toe.
* shoulders, elbows, wrists, knees, ankles: as detected.  Shoulders lie 2 cm further out in the model.

Spine and collar joints cannot be seen: weight 0.
"""

from __future__ import annotations

import numpy as np

from ..camera_fit import normalise_points
from ..motion.skeleton import JOINT_COUNT, JOINT_NAMES
from .keypoints import Keypoints
from .layout import INDEX

HIP_WIDTH = 0.6
PELVIS_HEIGHT = 0.18
NECK_HEIGHT = 0.5
BALL_OF_FOOT = 0.85

# How far a stand-in is trusted against the point that it stands for.
DERIVED = 0.7
STAND_IN = 0.5

Points = tuple[np.ndarray, np.ndarray]  # (T, D) positions and (T,) confidence


def to_joints(keypoints: Keypoints, intrinsics: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The joints of ``motion.skeleton.JOINT_NAMES`` that can be seen.

    Returns xy (T, 22, 2) float32 and weight (T, 22) float32 from 0 (not seen; xy is then 0) to 1.  Pixels, or
    with ``intrinsics`` (3, 3) normalised camera coordinates.
    """
    xy, weight = combine(keypoints.points, keypoints.confidence)
    if intrinsics is not None:
        xy = normalise_points(xy, intrinsics)
        xy[weight == 0] = 0
    return xy.astype(np.float32), weight.astype(np.float32)


def combine(points: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joints (T, 22, D) and weight (T, 22) of points (T, 27, D) in the canonical layout, D being 2 or 3."""
    joints = np.zeros((len(points), JOINT_COUNT, points.shape[2]))
    weight = np.zeros((len(points), JOINT_COUNT))
    for name, (position, certain) in _joints(points, confidence).items():
        joint = JOINT_NAMES.index(name)
        joints[:, joint], weight[:, joint] = position, certain
    joints[weight == 0] = 0
    return joints, weight


def _joints(points: np.ndarray, confidence: np.ndarray) -> dict[str, Points]:
    def point(name: str) -> Points:
        index = INDEX[name]
        return points[:, index].astype(np.float64), confidence[:, index].astype(np.float64)

    def middle(name: str) -> Points:
        return _between(point(f"left_{name}"), point(f"right_{name}"), 0.5)

    shoulders = _first(middle("shoulder"), point("shoulder_centre"))
    hips = _first(middle("hip"), point("mid_hip"))
    # From the side one ear is hidden and the other lies over the middle of the head.
    ears = _first(
        middle("ear"),
        _trusted(point("left_ear"), DERIVED),
        _trusted(point("right_ear"), DERIVED),
        _trusted(_between(point("neck"), point("head_top"), 0.5), STAND_IN),
    )
    joints = {
        "pelvis": _first(_between(hips, shoulders, PELVIS_HEIGHT), _trusted(hips, STAND_IN)),
        "neck": _first(
            _trusted(_between(shoulders, ears, NECK_HEIGHT), DERIVED), _trusted(point("neck"), STAND_IN)
        ),
        "head": _trusted(ears, DERIVED),
    }
    for side, other in (("left", "right"), ("right", "left")):
        hip, ankle, toe = point(f"{side}_hip"), point(f"{side}_ankle"), point(f"{side}_big_toe")
        joints[f"{side}_hip"] = _first(
            _between(point(f"{other}_hip"), hip, 0.5 + HIP_WIDTH / 2), _trusted(hip, STAND_IN)
        )
        joints[f"{side}_foot"] = _first(
            _between(point(f"{side}_heel"), toe, BALL_OF_FOOT), _between(ankle, toe, BALL_OF_FOOT)
        )
        for name in ("shoulder", "elbow", "wrist", "knee", "ankle"):
            joints[f"{side}_{name}"] = point(f"{side}_{name}")
    return joints


def _between(a: Points, b: Points, fraction: float) -> Points:
    """The point that lies ``fraction`` of the way from a to b; seen where both are."""
    return (1 - fraction) * a[0] + fraction * b[0], np.minimum(a[1], b[1])


def _trusted(a: Points, trust: float) -> Points:
    return a[0], trust * a[1]


def _first(*candidates: Points) -> Points:
    """In each frame the first of the candidates that was seen."""
    points, confidence = (array.copy() for array in candidates[0])
    for other_points, other_confidence in candidates[1:]:
        use = (confidence == 0) & (other_confidence > 0)
        points[use], confidence[use] = other_points[use], other_confidence[use]
    return points, confidence
