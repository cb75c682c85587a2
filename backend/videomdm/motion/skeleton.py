# SPDX-License-Identifier: Apache-2.0
"""Skeletons: joint names, parents and rest directions.

Y is up, the rest pose (T-pose) faces +Z, the character's left is +X, lengths are metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Skeleton:
    """A tree of joints, listed so that every parent comes before its children.

    names:   J joint names.
    parents: J indices, -1 for the root.
    offsets: (J, 3) position of each joint relative to its parent in the rest pose, metres.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.parents) == len(self.offsets):
            raise ValueError("a skeleton needs one name, parent and offset for each joint")
        if any(parent >= joint for joint, parent in enumerate(self.parents)):
            raise ValueError("a skeleton lists every parent before its children")

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """The index of the joint called ``name``; ValueError if there is none."""
        return self.names.index(name)

    @cached_property
    def rest_positions(self) -> np.ndarray:
        """(J, 3) joint positions of the rest pose, root at the origin."""
        positions = np.zeros((len(self), 3))
        for joint, parent in enumerate(self.parents):
            positions[joint] = self.offsets[joint] + (positions[parent] if parent >= 0 else 0.0)
        return positions

    @cached_property
    def lengths(self) -> np.ndarray:
        """(J,) bone lengths to the parent, metres; 0 for the root."""
        lengths = np.linalg.norm(self.offsets, axis=-1)
        lengths[0] = 0.0
        return lengths


# The 22 body joints of SMPL in HumanML3D's order.
JOINT_NAMES = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2",
    "left_ankle", "right_ankle", "spine3", "left_foot", "right_foot", "neck",
    "left_collar", "right_collar", "head", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
JOINT_COUNT = len(JOINT_NAMES)

# Direction of each bone in the representation's rest pose (HumanML3D, "t2m_raw_offsets").
REST_DIRECTIONS = np.array([
    [0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, -1, 0], [0, 1, 0],
    [0, -1, 0], [0, -1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 1, 0],
    [1, 0, 0], [-1, 0, 0], [0, 0, 1], [0, -1, 0], [0, -1, 0],
    [0, -1, 0], [0, -1, 0], [0, -1, 0], [0, -1, 0],
], dtype=np.float64)  # fmt: skip

# Chains along which local rotations are taken (HumanML3D, "t2m_kinematic_chain").  All of them start from the
# root's rotation, the arms too.
CHAINS = (
    (0, 2, 5, 8, 11),
    (0, 1, 4, 7, 10),
    (0, 3, 6, 9, 12, 15),
    (9, 14, 17, 19, 21),
    (9, 13, 16, 18, 20),
)

# Left and right change places under a mirror in the YZ plane.
MIRROR = tuple(
    JOINT_NAMES.index(
        name.replace("left", "right") if name.startswith("left") else name.replace("right", "left")
    )
    for name in JOINT_NAMES
)

# The four contact channels, in the representation's order.
CONTACT_JOINTS = (7, 10, 8, 11)


def mirror_positions(positions: np.ndarray) -> np.ndarray:
    """Mirror (..., 22, 3) joints left to right: x changes sign, left and right joints change places."""
    mirrored = np.asarray(positions)[..., list(MIRROR), :].copy()
    mirrored[..., 0] *= -1
    return mirrored
