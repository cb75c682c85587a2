# SPDX-License-Identifier: Apache-2.0
"""The body of HumanML3D, and what takes of other bodies need to become takes of it.

Their legs are bent to its lengths, the floor under them is found, and they are turned and shifted to start at the
origin.  Arrays are NumPy's; metres, Y up.
"""

from __future__ import annotations

import numpy as np

from . import rotations
from .skeleton import JOINT_NAMES

# Bone lengths of HumanML3D's body, metres.  Left and right are averaged: a mirrored clip shows the same body.
BONE_LENGTHS = np.array([
    0.0, 0.1065, 0.1065, 0.1316, 0.3919, 0.3919, 0.1432, 0.4290, 0.4290, 0.0574, 0.1464, 0.1464, 0.2194,
    0.1405, 0.1405, 0.1030, 0.1273, 0.1273, 0.2600, 0.2600, 0.2684, 0.2684,
])  # fmt: skip

_TOES = [JOINT_NAMES.index("left_foot"), JOINT_NAMES.index("right_foot")]
RESTING_SPEED = 0.2  # m/s: a toe slower than this stands on something
MIN_RESTING_SECONDS = 0.5  # of toes at rest, together, before they tell where the floor is
MAX_UNDER_TOES = 0.2  # m: if joints are that much lower most of the time, the feet are in the air


def bend_leg(
    knee: np.ndarray, ankle: np.ndarray, thigh: float, shin: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Knee and ankle (T, 3) relative to the hip joint, for a leg with other lengths.

    The ankle keeps its place times the third result, the ratio of the whole lengths; the knee keeps its
    plane.  As both legs are stretched at the same moment, the knee's distance from the line hip - ankle
    differs by a factor that stays near one: no pops where the knee straightens.
    """
    source = np.linalg.norm(knee, axis=-1).mean() + np.linalg.norm(ankle - knee, axis=-1).mean()
    scale = (thigh + shin) / source
    ankle = ankle * scale
    distance = np.linalg.norm(ankle, axis=-1, keepdims=True).clip(1e-6)
    along = ankle / distance
    aside = knee - np.sum(knee * along, axis=-1, keepdims=True) * along
    reach = distance.clip(abs(thigh - shin), thigh + shin)
    foot_point = (reach**2 + thigh**2 - shin**2) / (2.0 * reach)
    height = np.sqrt((thigh**2 - foot_point**2).clip(0.0))
    return foot_point * along + height * rotations.normalise(aside), ankle, scale


def floor_height(positions: np.ndarray, fps: float) -> float:
    """The height of the floor under (T, 22, 3) positions, metres: where the toes come to rest.

    The 5th percentile of the heights of toes slower than ``RESTING_SPEED`` leaves out what noise puts below,
    and finds the lower of two levels if a twentieth of the steps are there.  A person who never puts the
    feet down (swims, hangs, lies) has the floor under the lowest joint instead.
    """
    lowest = float(np.percentile(positions[..., 1].min(axis=1), 5))
    toes = positions[:, _TOES]
    if len(toes) < 2:
        return lowest
    speed = np.linalg.norm(np.gradient(toes, 1.0 / fps, axis=0), axis=-1)
    resting = toes[..., 1][speed < RESTING_SPEED]
    if len(resting) < fps * MIN_RESTING_SECONDS:
        return lowest
    height = float(np.percentile(resting, 5))
    return lowest if lowest < height - MAX_UNDER_TOES else height


def first_frame_to_origin(positions: np.ndarray) -> np.ndarray:
    """Turn and shift (T, 22, 3) so that the first frame faces +Z with its pelvis over the origin."""
    left, right = (np.array([JOINT_NAMES.index(f"{side}_{part}") for part in ("hip", "shoulder")])
                   for side in ("left", "right"))  # fmt: skip
    across = (positions[0, left] - positions[0, right]).sum(axis=0)
    forward = np.cross(across, [0.0, 1.0, 0.0])
    turn = rotations.about_y(-rotations.yaw_facing(forward))
    shifted = positions - positions[0, 0] * np.array([1.0, 0.0, 1.0])
    return rotations.rotate(np.broadcast_to(turn, (*shifted.shape[:-1], 4)), shifted)
