# SPDX-License-Identifier: Apache-2.0
"""Other people's bodies and skeletons onto the one body of the representation.

Positions are (T, 22, 3) in metres, Y up.  The representation was made for one body; captured people differ, so
every bone keeps its direction and takes HumanML3D's length, and the path is scaled with the legs, as HumanML3D
does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from videomdm.errors import UserError
from videomdm.keypoints.joints import combine
from videomdm.keypoints.layout import COUNT, INDEX
from videomdm.motion import rotations
from videomdm.motion.body import BONE_LENGTHS, bend_leg, floor_height
from videomdm.motion.clip import FPS
from videomdm.motion.inverse import REST_DIRECTIONS
from videomdm.motion.representation import Placement, canonicalise
from videomdm.motion.resample import resample_positions
from videomdm.motion.skeleton import JOINT_COUNT, JOINT_NAMES, PARENTS

JOINT = {name: index for index, name in enumerate(JOINT_NAMES)}
LEGS = tuple(
    tuple(JOINT[f"{side}_{part}"] for part in ("hip", "knee", "ankle")) for side in ("left", "right")
)
SHORTEST_LEG, LONGEST_LEG = 0.4, 1.4  # metres: beyond these the units are wrong, or it is nobody

AXES = {  # rows: where the file's x, y, z go; all keep right-handedness
    "y-up": np.eye(3),
    "z-up": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
    "camera": np.diag([1.0, -1.0, -1.0]),
}


def to_y_up(points: np.ndarray, axes: str) -> np.ndarray:
    """Points (..., 3) in axes "y-up", "z-up" or "camera" (x right, y down, z forward) with Y up."""
    if axes not in AXES:
        raise UserError(f"{axes!r} names no axes.", f"Choose one of {', '.join(AXES)}.")
    if points.shape[-1:] != (3,):
        raise UserError(
            f"it has the shape {points.shape}, but points have 3 numbers", "Give positions in 3D."
        )
    return points @ AXES[axes]


def leg_length(positions: np.ndarray) -> float:
    """Mean length of thigh and shin together, metres."""
    bones = [
        np.linalg.norm(positions[:, b] - positions[:, a], axis=-1).mean()
        for hip, knee, ankle in LEGS
        for a, b in ((hip, knee), (knee, ankle))
    ]
    return float(sum(bones) / 2)


def on_standard_body(positions: np.ndarray) -> tuple[np.ndarray, float]:
    """The same motion on HumanML3D's body, where the file has it but for a scale, which is the second result.

    UserError where the positions are not those of a person in metres.
    """
    positions = np.asarray(positions, np.float64)
    check(positions)
    bones = np.zeros_like(positions)
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            bones[:, joint] = positions[:, joint] - positions[:, parent]
    missing = np.linalg.norm(bones, axis=-1) < 1e-4  # joints that the source has in one place
    bones[missing] = np.broadcast_to(REST_DIRECTIONS, bones.shape)[missing]
    scale = 1.0
    for _, knee, ankle in LEGS:
        lengths = float(BONE_LENGTHS[knee]), float(BONE_LENGTHS[ankle])
        to_knee, to_ankle, own = bend_leg(bones[:, knee], bones[:, knee] + bones[:, ankle], *lengths)
        bones[:, knee], bones[:, ankle] = to_knee, to_ankle - to_knee
        scale *= np.sqrt(own)
    bones[:, 1:] = rotations.normalise(bones[:, 1:]) * BONE_LENGTHS[1:, None]
    standard = np.zeros_like(bones)
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            standard[:, joint] = standard[:, parent] + bones[:, joint]
    hips = [JOINT["left_hip"], JOINT["right_hip"]]
    middle = scale * positions[:, hips].mean(1) - standard[:, hips].mean(1)
    return standard + middle[:, None], float(scale)


def check(positions: np.ndarray) -> None:
    """UserError where (T, J, 3) are not finite positions of a person in metres."""
    if positions.ndim != 3 or positions.shape[1:] != (JOINT_COUNT, 3) or len(positions) < 2:
        raise UserError(
            f"it has the shape {positions.shape} instead of (frames, 22, 3)",
            "Give joints in the order of SMPL.",
        )
    if not np.isfinite(positions).all():
        raise UserError("it holds NaN or infinite positions", "Leave these frames out, or fill them.")
    leg = leg_length(positions)
    if not SHORTEST_LEG < leg < LONGEST_LEG:
        raise UserError(f"its legs are {leg:.3g} m long", "Give positions in metres.")


def packed(positions: np.ndarray, fps: float) -> np.ndarray:
    """(T', 22, 3) at 20 frames per second, the floor at 0, the first frame at the origin facing +Z.

    ``positions`` are on the standard body; UserError where the frame rate is none.
    """
    return placed(positions, fps)[0]


def placed(positions: np.ndarray, fps: float) -> tuple[np.ndarray, Placement, float]:
    """As :func:`packed`, and where the clip stood: its placement and the height of the floor."""
    if not 0 < fps < 1000:
        raise UserError(f"{fps:g} frames per second is no usable frame rate", "Mend the file.")
    moved, placement = canonicalise(resample_positions(positions, fps, FPS))
    floor = floor_height(moved, FPS)
    moved[..., 1] -= floor
    return moved, placement, floor


# -- other skeletons ---------------------------------------------------------------------------------------

# Human3.6M's 17 joints by the names of the canonical layout; its spine has no place there.
H36M = (
    "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "", "shoulder_centre", "nose", "head_top", "left_shoulder", "left_elbow", "left_wrist",
    "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip
# The 16 points of MAS's NBA set, in 2D and in the 3D that lifters made of it.
NBA = (
    "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "neck", "nose",
    "head_top", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip
_BY_COUNT = {len(names): names for names in (H36M, NBA)}
_REST = np.zeros((JOINT_COUNT, 3))
for _joint, _parent in enumerate(PARENTS):
    if _parent >= 0:
        _REST[_joint] = _REST[_parent] + REST_DIRECTIONS[_joint] * BONE_LENGTHS[_joint]
_TRUNK = tuple(JOINT[name] for name in ("left_hip", "right_hip", "left_shoulder", "right_shoulder", "neck"))
_INSIDE = tuple(JOINT[name] for name in ("spine1", "spine2", "spine3", "left_collar", "right_collar"))


def from_points(points: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """3D points (T, N, 3), Y up, by canonical ``names`` as the 22 joints, and which of these (22,) are real.

    Detected points and joints of the body are told apart as in footage (``keypoints/joints.py``).  Spine and collars
    lie in the trunk as on a standing body; feet, where no toes are known, point ahead.
    """
    known = [index for index, name in enumerate(names) if name]
    given = np.zeros((len(points), COUNT, 3))
    given[:, [INDEX[names[index]] for index in known]] = points[:, known]
    there = np.zeros((len(points), COUNT))
    there[:, [INDEX[names[index]] for index in known]] = 1.0
    if not there[0, INDEX["neck"]]:  # level with the chin, half way up to the nose
        given[:, INDEX["neck"]] = 0.5 * (given[:, INDEX["shoulder_centre"]] + given[:, INDEX["nose"]])
        there[:, INDEX["neck"]] = 1.0
    joints, weight = combine(given, there)
    real = weight[0] > 0
    joints[:, _INSIDE] = _within_trunk(joints)
    across = rotations.normalise(joints[:, JOINT["left_hip"]] - joints[:, JOINT["right_hip"]])
    for side in ("left", "right"):
        foot, ankle = JOINT[f"{side}_foot"], joints[:, JOINT[f"{side}_ankle"]]
        if not real[foot]:
            shin = rotations.normalise(ankle - joints[:, JOINT[f"{side}_knee"]])
            ahead = rotations.normalise(np.cross(across, -shin))
            joints[:, foot] = ankle + BONE_LENGTHS[foot] * (0.35 * shin + 0.94 * ahead)
    return joints, real


def _within_trunk(joints: np.ndarray) -> np.ndarray:
    """(T, 5, 3) spine and collars: where the affine map of the rest pose's hips, shoulders and neck puts them."""
    rest, seen = (_with_front(values[:, _TRUNK]) for values in (_REST[None], joints))
    rest = np.concatenate([rest[0], np.ones((len(rest[0]), 1))], axis=1)
    inside = np.concatenate([_REST[list(_INSIDE)], np.ones((len(_INSIDE), 1))], axis=1)
    return (inside @ np.linalg.pinv(rest)) @ seen


def _with_front(trunk: np.ndarray) -> np.ndarray:
    """(T, 7, 3): hips, shoulders and neck, and points ahead of hips and of shoulders, which fix the depth."""
    hips, shoulders = trunk[:, :2].mean(1), trunk[:, 2:4].mean(1)
    up = shoulders - hips
    ahead = [0.2 * rotations.normalise(np.cross(trunk[:, left] - trunk[:, left + 1], up)) for left in (0, 2)]
    return np.concatenate([trunk, (hips + ahead[0])[:, None], (shoulders + ahead[1])[:, None]], axis=1)


def from_joints(points: np.ndarray) -> np.ndarray:
    """(T, J, 3) joints of a known skeleton as the 22.

    22, 24 (SMPL), 52 (SMPL-H), 55, 127 and 144 (SMPL-X) begin with the 22; 17 are Human3.6M's, 16 the NBA set's.
    UserError for other counts.
    """
    points = np.asarray(points, np.float64)
    if points.ndim != 3 or points.shape[2] != 3 or not len(points):
        raise UserError(
            f"it has the shape {points.shape} instead of (frames, joints, 3)", "Give joint positions."
        )
    if points.shape[1] in _BY_COUNT:
        return from_points(points, _BY_COUNT[points.shape[1]])[0]
    if points.shape[1] in (22, 24, 52, 55, 127, 144):
        return points[:, :JOINT_COUNT]
    raise UserError(
        f"it has {points.shape[1]} joints, which is no known skeleton",
        "Give the 22 or 24 joints of SMPL, or the 17 of Human3.6M.",
    )
