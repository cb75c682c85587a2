# SPDX-License-Identifier: Apache-2.0
"""Bodies that move in known ways, for the tests of kinematics."""

from __future__ import annotations

import numpy as np

from videomdm.motion import kinematics, rotations
from videomdm.motion.body import BONE_LENGTHS
from videomdm.motion.inverse import REST_DIRECTIONS
from videomdm.motion.skeleton import JOINT_NAMES, PARENTS

OFFSETS = REST_DIRECTIONS * BONE_LENGTHS[:, None]


def t_pose(frames: int = 1) -> np.ndarray:
    """(T, 22, 3) a body that stands still in a T-pose, facing +Z."""
    local = np.zeros((frames, 22, 4))
    local[..., 0] = 1.0
    translations = np.broadcast_to(OFFSETS, (frames, 22, 3)).copy()
    translations[:, 0] = [0.0, 0.95, 0.0]
    return kinematics.forward(PARENTS, local, translations)[0]


def dancer(frames: int = 60, fps: float = 20.0, size: float = 0.6, seed: int = 0) -> np.ndarray:
    """(T, 22, 3) a rigid body all of whose joints swing smoothly; knees and elbows bend as hinges."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None] / fps
    angles = size * np.sin(
        2 * np.pi * rng.uniform(0.2, 0.8, (1, 22, 3)) * time + rng.uniform(0, 6, (1, 22, 3))
    )
    for name, axis in (("knee", (1.0, 0.0, 0.0)), ("elbow", (0.0, 1.0, 0.0))):
        for side, sign in (("left", -1.0), ("right", 1.0)):
            bend = 0.9 + 0.7 * np.sin(time[:, 0] * 3)
            angles[:, JOINT_NAMES.index(f"{side}_{name}")] = bend * axis * (sign if name == "elbow" else 1.0)
    length = np.linalg.norm(angles, axis=-1)
    local = rotations.from_axis_angle(rotations.normalise(angles), length)
    translations = np.broadcast_to(OFFSETS, (frames, 22, 3)).copy()
    translations[:, 0] = np.array([0.3, 0.0, 1.0]) * time[:, 0] + np.array([0.0, 0.95, 0.0])
    return kinematics.forward(PARENTS, local, translations)[0]
