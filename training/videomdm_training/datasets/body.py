# SPDX-License-Identifier: Apache-2.0
"""Other people's bodies and skeletons onto the one body of the representation.

Positions are (T, 22, 3) in metres, Y up.  The representation was made for one body; captured people differ, so
every bone keeps its direction and takes HumanML3D's length, and the path is scaled with the legs, as HumanML3D
does.
"""

from __future__ import annotations

import numpy as np

from videomdm.errors import UserError
from videomdm.motion import rotations
from videomdm.motion.clip import FPS
from videomdm.motion.cmu import BONE_LENGTHS, bend_leg, first_frame_to_origin, floor_height
from videomdm.motion.inverse import REST_DIRECTIONS
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
    if not 0 < fps < 1000:
        raise UserError(f"{fps:g} frames per second is no usable frame rate", "Mend the file.")
    moved = first_frame_to_origin(resample_positions(positions, fps, FPS))
    moved[..., 1] -= floor_height(moved, FPS)
    return moved


# -- other skeletons ---------------------------------------------------------------------------------------

H36M = (
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "spine", "thorax", "nose", "head_top", "left_shoulder", "left_elbow", "left_wrist",
    "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip
_SAME = tuple(name for name in H36M if name in JOINT)
# Along pelvis - spine - thorax of Human3.6M, and from the thorax to the shoulders, where SMPL has its joints.
_TRUNK = {
    "spine1": ("pelvis", "spine", 0.55),
    "spine2": ("spine", "thorax", 0.05),
    "spine3": ("spine", "thorax", 0.3),
}
_FOOT = (0.0, -0.35, 0.94)  # from ankle to ball in the frame of a shin that points up and knees that face +Z


def from_h36m(points: np.ndarray, feet: dict[str, np.ndarray] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Human3.6M's 17 joints (T, 17, 3) as the 22, and which of them (22,) the source really has.

    ``feet``: (T, 3) balls of the "left" and "right" foot, where known.  Spine, collars, and feet where unknown,
    are put where a body of these proportions has them: good enough to look at, not to learn from.
    """
    at = {name: points[:, index].astype(np.float64) for index, name in enumerate(H36M)}
    result = np.zeros((len(points), JOINT_COUNT, 3))
    real = np.zeros(JOINT_COUNT, bool)
    for name in _SAME:
        result[:, JOINT[name]], real[JOINT[name]] = at[name], True
    for name, (a, b, part) in _TRUNK.items():
        result[:, JOINT[name]] = (1 - part) * at[a] + part * at[b]
    result[:, JOINT["neck"]] = 0.5 * (at["thorax"] + at["nose"])
    result[:, JOINT["head"]] = 0.5 * (at["nose"] + at["head_top"])
    real[[JOINT["neck"], JOINT["head"]]] = True
    across = rotations.normalise(at["left_hip"] - at["right_hip"])
    for side in ("left", "right"):
        spine, shoulder = result[:, JOINT["spine3"]], at[f"{side}_shoulder"]
        result[:, JOINT[f"{side}_collar"]] = spine + 0.45 * (shoulder - spine) + 0.05 * _up(at)
        foot = JOINT[f"{side}_foot"]
        if feet is not None:
            result[:, foot], real[foot] = feet[side], True
            continue
        shin = rotations.normalise(at[f"{side}_ankle"] - at[f"{side}_knee"])
        ahead = rotations.normalise(np.cross(across, -shin))
        result[:, foot] = at[f"{side}_ankle"] + BONE_LENGTHS[foot] * (-_FOOT[1] * shin + _FOOT[2] * ahead)
    return result, real


def _up(at: dict[str, np.ndarray]) -> np.ndarray:
    return rotations.normalise(at["thorax"] - at["pelvis"])


def from_joints(points: np.ndarray) -> np.ndarray:
    """(T, J, 3) joints of a known skeleton as the 22.

    22, 24 (SMPL), 52 (SMPL-H), 55, 127 and 144 (SMPL-X) begin with the 22; 17 are Human3.6M's.  UserError for other
    counts.
    """
    points = np.asarray(points, np.float64)
    if points.ndim != 3 or points.shape[2] != 3:
        raise UserError(
            f"it has the shape {points.shape} instead of (frames, joints, 3)", "Give joint positions."
        )
    if points.shape[1] == len(H36M):
        return from_h36m(points)[0]
    if points.shape[1] in (22, 24, 52, 55, 127, 144):
        return points[:, :JOINT_COUNT]
    raise UserError(
        f"it has {points.shape[1]} joints, which is no known skeleton",
        "Give the 22 or 24 joints of SMPL, or the 17 of Human3.6M.",
    )
